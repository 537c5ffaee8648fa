/** Whether `path` is `folder` or lies in it. Both are absolute and in their shortest form. */
export const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(`${folder}/`);
