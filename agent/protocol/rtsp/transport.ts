/** Of one track, from the answer to SETUP (RFC 2326, 12.39). */
export type TrackTransport =
  | { over: 'tcp'; rtpChannel: number; rtcpChannel: number }
  | { over: 'udp'; rtpPort: number; rtcpPort: number }

/** What SETUP asks for: the n-th pair of channels, or a pair of our ports. */
export function transportWanted(at: number, ports: { rtp: number; rtcp: number } | undefined): string {
  if (!ports) return `RTP/AVP/TCP;unicast;interleaved=${at * 2}-${at * 2 + 1}`
  return `RTP/AVP;unicast;client_port=${ports.rtp}-${ports.rtcp}`
}

/** `RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=…`; undefined when it names neither channels nor ports. */
export function parseTransport(text: string): TrackTransport | undefined {
  const pair = (name: string) => {
    const match = new RegExp(`(?:^|;)\\s*${name}=(\\d{1,5})(?:-(\\d{1,5}))?`, 'i').exec(text)
    if (!match) return undefined
    const first = Number(match[1])
    return { first, second: match[2] === undefined ? first + 1 : Number(match[2]) }
  }
  const channels = pair('interleaved')
  if (channels && channels.first <= 255 && channels.second <= 255) {
    return { over: 'tcp', rtpChannel: channels.first, rtcpChannel: channels.second }
  }
  const ports = pair('server_port')
  if (!ports || ports.first > 65_535 || ports.second > 65_535) return undefined
  return { over: 'udp', rtpPort: ports.first, rtcpPort: ports.second }
}

/** `12345678;timeout=60`. Ms; undefined when none is named. */
export function parseSession(text: string): { id: string; timeoutMs: number | undefined } {
  const [id = ''] = text.split(';')
  const seconds = /;\s*timeout=(\d{1,6})/i.exec(text)?.[1]
  return { id: id.trim(), timeoutMs: seconds === undefined ? undefined : Number(seconds) * 1000 }
}
