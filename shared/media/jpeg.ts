/** Begins and ends as a JPEG does (ITU-T T.81, B.1.1.3: SOI and EOI): what was cut off on its way does not. */
export function isWholeJpeg(bytes: Uint8Array): boolean {
  return bytes[0] === 0xff && bytes[1] === 0xd8 && bytes.at(-2) === 0xff && bytes.at(-1) === 0xd9
}
