/** The clock of one sender (RFC 3550, section 6.4.1): the same instant in wall time and in ticks of the media. */
export type SenderReport = {
  ssrc: number
  /** Ms since 1900, as the sender's clock has it: only differences between tracks of one sender mean something. */
  ntpMs: number
  /** The middle 32 bits of the NTP time, for the answer. */
  ntpMiddle: number
  rtpTimestamp: number
}

export type RtcpRead = { reports: SenderReport[]; bye: boolean }

const type = { senderReport: 200, receiverReport: 201, sourceDescription: 202, bye: 203 }

/**
 * A compound RTCP packet. What cannot be read ends it.
 *
 *   V 2 │ P 1 │ count 5 │ type u8 │ words − 1 u16 │ SSRC u32 │ …
 *   sender report: … │ NTP seconds u32 │ NTP fraction u32 │ RTP timestamp u32 │ packets u32 │ bytes u32 │ blocks
 */
export function parseRtcp(packet: Uint8Array): RtcpRead {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length)
  const read: RtcpRead = { reports: [], bye: false }
  for (let at = 0; at + 4 <= packet.length; ) {
    const end = at + 4 + view.getUint16(at + 2) * 4
    if (view.getUint8(at) >> 6 !== 2 || end > packet.length) break
    const kind = view.getUint8(at + 1)
    if (kind === type.bye) read.bye = true
    if (kind === type.senderReport && end - at >= 28) {
      const [seconds, fraction] = [view.getUint32(at + 8), view.getUint32(at + 12)]
      read.reports.push({
        ssrc: view.getUint32(at + 4),
        ntpMs: seconds * 1000 + (fraction * 1000) / 2 ** 32,
        ntpMiddle: (((seconds & 0xffff) << 16) | (fraction >>> 16)) >>> 0,
        rtpTimestamp: view.getUint32(at + 16),
      })
    }
    at = end
  }
  return read
}

export type Reception = {
  ssrc: number
  /** Sequence number of the newest packet, wraps included. */
  highest: number
  lost: number
  /** The last sender report, and how long ago it came; zeros before the first. */
  ntpMiddle: number
  sinceReportMs: number
}

const name = Buffer.from('edgereel')

/**
 * The receiver's report with who it is (RFC 3550, sections 6.4.2 and 6.5): by it servers know over UDP that
 * somebody is there. Jitter and the fraction of losses are not computed: nobody sends slower for them.
 */
export function receiverReport(own: number, from: Reception | undefined): Uint8Array {
  const report = Buffer.alloc(from ? 32 : 8)
  report[0] = 0x80 | (from ? 1 : 0)
  report[1] = type.receiverReport
  report.writeUInt16BE(report.length / 4 - 1, 2)
  report.writeUInt32BE(own, 4)
  if (from) {
    report.writeUInt32BE(from.ssrc, 8)
    report.writeUIntBE(Math.min(from.lost, 0x7fffff), 13, 3)
    report.writeUInt32BE(Math.max(0, from.highest) >>> 0, 16)
    report.writeUInt32BE(from.ntpMiddle, 24)
    report.writeUInt32BE(Math.min(Math.round(from.sinceReportMs * 65.536), 0xffffffff), 28)
  }
  const words = Math.ceil((4 + 2 + name.length + 1) / 4)
  const description = Buffer.alloc(4 + words * 4)
  description[0] = 0x81
  description[1] = type.sourceDescription
  description.writeUInt16BE(words, 2)
  description.writeUInt32BE(own, 4)
  description[8] = 1 // CNAME
  description[9] = name.length
  name.copy(description, 10)
  return Buffer.concat([report, description])
}

/** For the simulator and tests. */
export function senderReport(report: {
  ssrc: number
  wallMs: number
  rtpTimestamp: number
  packets: number
  bytes: number
}): Uint8Array {
  const ntpMs = report.wallMs + ntpEpochMs
  const bytes = Buffer.alloc(28)
  bytes[0] = 0x80
  bytes[1] = type.senderReport
  bytes.writeUInt16BE(6, 2)
  bytes.writeUInt32BE(report.ssrc, 4)
  bytes.writeUInt32BE(Math.floor(ntpMs / 1000) >>> 0, 8)
  bytes.writeUInt32BE(Math.floor((ntpMs % 1000) * (2 ** 32 / 1000)) >>> 0, 12)
  bytes.writeUInt32BE(report.rtpTimestamp >>> 0, 16)
  bytes.writeUInt32BE(report.packets >>> 0, 20)
  bytes.writeUInt32BE(report.bytes >>> 0, 24)
  return bytes
}

const ntpEpochMs = 2_208_988_800_000 // From 1900 to 1970.
