import type { AgentStats, StreamInfo } from '../../shared/contract/agent-api.ts'
import type { Health } from '../../shared/contract/api.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import { nowMs } from '../clock.ts'
import { formatBytes } from '../format.ts'
import type { Texts } from '../text/en.ts'

const diskWarnPercent = 95 // A ring in overwrite mode lives near its quota; past this a claim may soon hold all of it.
const silentMs = 5000 // More than the figures and the clock of the page may be late; less than a recorder gives a source up.

type Upload = NonNullable<AgentStats['upload']>

export type StatusInput = {
  stats: AgentStats | undefined
  agentSilent: boolean
  health: Health | undefined
  cloudSilent: boolean
  streams?: readonly StreamInfo[]
  /** Those that go on now. */
  open?: readonly Recording[]
}

export function usedPercent(ring: { usedBytes: number; quotaBytes: number } | undefined): number {
  return ring && ring.quotaBytes > 0 ? Math.round((100 * ring.usedBytes) / ring.quotaBytes) : 0
}

/** What a person should know or do something about, most urgent first. */
export function alarmsOf(input: StatusInput, words: Texts): string[] {
  const { stats, agentSilent, health, cloudSilent, streams = [], open = [] } = input
  const alarms: string[] = []
  if (agentSilent) alarms.push(words.status.alarmAgent)
  alarms.push(...diskAlarms(stats?.ring, words), ...cameraAlarms(streams, open, words))
  if (cloudSilent) alarms.push(words.status.alarmCloud)
  const upload = stats?.upload
  const why = upload?.state === 'waiting' ? uploadReason(upload, words) : undefined
  if (why) alarms.push(why)
  alarms.push(...cloudAlarms(health, words))
  if (stats?.door?.lan && stats.door.allowWithoutToken) alarms.push(words.status.alarmOpenPhones)
  return alarms
}

export function uploadReason({ message, messageZh }: Upload, words: Texts): string | undefined {
  return (words.language === '中文' ? messageZh : undefined) ?? message
}

function diskAlarms(ring: AgentStats['ring'], words: Texts): string[] {
  if (ring?.alarm) return [words.status.diskAlarms[ring.alarm] ?? ring.alarm]
  const percent = usedPercent(ring)
  return percent >= diskWarnPercent ? [words.status.alarmDisk(percent)] : []
}

/** Cameras that somebody wants and that do not come, and recordings that get no pictures. */
export function cameraAlarms(
  streams: readonly StreamInfo[],
  open: readonly Recording[],
  words: Texts,
): string[] {
  return streams.flatMap((stream) => {
    const { name, state, camera, recordings } = stream
    if (state === 'live' && !isSilent(stream)) return []
    if (camera?.state === 'offline') {
      const why = awayReason(stream, words)
      return [words.status.alarmCamera(name, why ?? words.live.waiting)]
    }
    const mine = open.find(({ id, state: goesOn }) => goesOn === 'open' && recordings.includes(id))
    return mine ? [words.status.alarmSilent(name, mine.title)] : []
  })
}

/** A source that is connected and sends nothing. */
export function isSilent({ state, lastUnitAt }: StreamInfo): boolean {
  return state === 'live' && lastUnitAt !== undefined && nowMs() - lastUnitAt > silentMs
}

/** Why a camera that is fetched from does not come. */
export function awayReason({ camera }: StreamInfo, words: Texts): string | undefined {
  if (camera?.state !== 'offline') return undefined
  return (words.language === '中文' ? camera.reasonZh : undefined) ?? camera.reason
}

function cloudAlarms(health: Health | undefined, words: Texts): string[] {
  if (!health) return []
  const alarms: string[] = []
  const dead = Object.values(health.queues).reduce((sum, queue) => sum + queue.dead, 0)
  const parts = (['database', 'store', 'queues'] as const).filter((part) => !health.answers[part])
  if (parts.length > 0)
    alarms.push(words.status.alarmParts(parts.map((part) => words.status.parts[part]).join(', ')))
  if (health.disk?.low) alarms.push(words.status.alarmStoreDisk(formatBytes(health.disk.freeBytes)))
  if (health.ffmpeg === false) alarms.push(words.status.alarmFfmpeg)
  if (dead > 0) alarms.push(words.status.alarmDead(dead))
  return alarms
}
