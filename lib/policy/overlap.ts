import { glob, hasStar, type Separator } from "./glob.ts";

/** Whether some text could match both globs. Exact where one has no star, else never wrongly `false`. */
export function globsOverlap(a: string, b: string, separator: Separator): boolean {
  if (!hasStar(a)) return glob(b, separator)(a);
  if (!hasStar(b)) return glob(a, separator)(b);
  const begins = (text: string): string => text.slice(0, text.indexOf("*"));
  const ends = (text: string): string => text.slice(text.lastIndexOf("*") + 1);
  const [headA, headB, tailA, tailB] = [begins(a), begins(b), ends(a), ends(b)];
  return (
    (headA.startsWith(headB) || headB.startsWith(headA)) && (tailA.endsWith(tailB) || tailB.endsWith(tailA))
  );
}

/** Whether two rules' `binaries` could name one program; left out, they name every one. */
export function programsOverlap(
  a: readonly { readonly path: string }[] | undefined,
  b: readonly { readonly path: string }[] | undefined,
): boolean {
  if (a === undefined || b === undefined) return true;
  return a.some((one) => b.some((other) => globsOverlap(one.path, other.path, "/")));
}
