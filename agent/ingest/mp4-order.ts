/**
 * Looks at the boxes with which an MP4 begins (ISO/IEC 14496-12, 4.2): `late` when the media come before their
 * description, so that it can only be read with its end at hand. Undefined while more bytes are needed.
 *
 *   size 32 | type 4 letters | [size 64 when size = 1] | body
 */
export function mp4Order(bytes: Uint8Array): 'late' | 'early' | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  for (let boxes = 0; boxes < 64; boxes += 1) {
    if (at + 16 > bytes.length) return undefined
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    if (boxes === 0 && type !== 'ftyp' && type !== 'styp') return 'early' // No MP4: of no concern here.
    if (type === 'mdat') return 'late'
    if (type === 'moov' || type === 'moof') return 'early'
    const size = view.getUint32(at)
    const length = size === 1 ? Number(view.getBigUint64(at + 8)) : size
    if (length < 8) return 'early'
    at += length
  }
  return 'early'
}
