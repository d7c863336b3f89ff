// Frame lengths by configuration number in groups of four (RFC 6716, Table 2), in samples at 48 kHz.
const silk = [480, 960, 1920, 2880]
const hybrid = [480, 960]
const celt = [120, 240, 480, 960]

/**
 * How many samples at 48 kHz an Opus packet holds (RFC 6716, 3.1); 0 for what is no packet.
 *
 *   config 5 │ stereo 1 │ code 2 (0: one frame, 1 and 2: two, 3: the low 6 bits of the next byte) │ …
 */
export function opusSamples(packet: Uint8Array): number {
  const [toc, count = 0] = packet
  if (toc === undefined) return 0
  const code = toc & 3
  const frames = code === 3 ? count & 0x3f : Math.min(code, 1) + 1
  const samples = frameSamples(toc >> 3) * frames
  return samples <= 5760 ? samples : 0 // 120 ms is the longest there may be.
}

function frameSamples(config: number): number {
  if (config < 12) return silk[config & 3] ?? 0
  return (config < 16 ? hybrid[config & 1] : celt[config & 3]) ?? 0
}
