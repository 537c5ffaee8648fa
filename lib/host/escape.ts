/**
 * Text that an agent may have chosen, as a person may see it: control characters, and those that reorder what is read
 * (bidirectional controls, Unicode TR 36), are written out.
 */
export const escapeControls = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
