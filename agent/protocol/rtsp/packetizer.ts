import { type RtpPacket, rtpHeader } from './rtp.ts'

const payloadBytesMax = 1400 // Within an Ethernet frame, with all headers before it.
const fuA = 28

/** NAL units of one H.264 picture → RTP packets (RFC 6184: single NAL units and FU-A); the marker is on the last. */
export class H264Packetizer {
  readonly #payloadType: number
  readonly #ssrc: number
  #sequence: number

  constructor(options: { payloadType: number; ssrc: number; sequence: number }) {
    this.#payloadType = options.payloadType
    this.#ssrc = options.ssrc
    this.#sequence = options.sequence
  }

  packets(nalUnits: readonly Uint8Array[], timestamp: number): Uint8Array[] {
    const payloads = nalUnits.flatMap((nal) => (nal.length <= payloadBytesMax ? [nal] : fragments(nal)))
    return payloads.map((payload, at) => this.#packet(payload, timestamp, at === payloads.length - 1))
  }

  #packet(payload: Uint8Array, timestamp: number, marker: boolean): Uint8Array {
    const about: Omit<RtpPacket, 'payload'> = {
      payloadType: this.#payloadType,
      ssrc: this.#ssrc,
      sequence: this.#sequence,
      timestamp,
      marker,
    }
    this.#sequence = (this.#sequence + 1) & 0xffff
    return Buffer.concat([rtpHeader(about), payload])
  }
}

/** F 1 NRI 2 type 28 │ S 1 E 1 R 1 type 5 │ piece (RFC 6184, 5.8). */
function fragments(nal: Uint8Array): Uint8Array[] {
  const [header = 0] = nal
  const pieces: Uint8Array[] = []
  for (let at = 1; at < nal.length; at += payloadBytesMax - 2) {
    const piece = nal.subarray(at, at + payloadBytesMax - 2)
    const start = at === 1 ? 0x80 : 0
    const end = at + piece.length === nal.length ? 0x40 : 0
    pieces.push(Buffer.concat([Uint8Array.of((header & 0xe0) | fuA, start | end | (header & 0x1f)), piece]))
  }
  return pieces
}
