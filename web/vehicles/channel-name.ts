/** What the name of a vehicle's stream says: SIM and channel in hex, `replay-` before it for history. */
export type ChannelName = { sim: string; channel: number; door: 'live' | 'history'; device: string }

const pattern = /^(replay-)?([0-9a-f]{12}|[0-9a-f]{20})([0-9a-f]{2})$/i

export function parseChannelName(name: string): ChannelName | undefined {
  const [, replay, sim = '', channel] = pattern.exec(name) ?? []
  if (channel === undefined) return undefined
  const device = (sim + channel).toLowerCase()
  return {
    sim: sim.toLowerCase(),
    channel: Number.parseInt(channel, 16),
    door: replay === undefined ? 'live' : 'history',
    device,
  }
}

const digitsOf = { 2016: 12, 2019: 20 } as const
export type Version = keyof typeof digitsOf
export const versions: readonly Version[] = [2016, 2019]

/** Undefined for a SIM that is too long for its version, or is none. */
export function paddedSim(sim: string, version: Version): string | undefined {
  const bare = sim.trim().toLowerCase().replace(/^0+/, '')
  if (!/^[0-9a-f]*$/.test(bare) || sim.trim() === '' || bare.length > digitsOf[version]) return undefined
  return bare.padStart(digitsOf[version], '0')
}

/** Undefined for what is no channel. */
export function channelNumber(text: string): number | undefined {
  const number = /^\d{1,3}$/.test(text.trim()) ? Number(text) : Number.NaN
  return number <= 255 ? number : undefined
}

export function channelName(sim: string, channel: number): string {
  return sim + channel.toString(16).padStart(2, '0')
}

/** As it is read out: without the zeros that only fill it. */
export function shownSim(sim: string): string {
  return sim.replace(/^0+(?=.)/, '')
}
