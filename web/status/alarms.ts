import type { AgentStats } from '../../shared/contract/agent-api.ts'
import type { CloudHealth } from '../api.ts'
import type { Texts } from '../text/en.ts'

const diskWarnPercent = 95 // A ring in overwrite mode lives near its quota; past this a claim may soon hold all of it.

export type StatusInput = {
  stats: AgentStats | undefined
  agentSilent: boolean
  health: CloudHealth | undefined
  cloudSilent: boolean
}

export function usedPercent(ring: { usedBytes: number; quotaBytes: number } | undefined): number {
  return ring && ring.quotaBytes > 0 ? Math.round((100 * ring.usedBytes) / ring.quotaBytes) : 0
}

/** What a person should know or do something about, most urgent first. */
export function alarmsOf({ stats, agentSilent, health, cloudSilent }: StatusInput, words: Texts): string[] {
  const alarms: string[] = []
  const dead = Object.values(health?.queues ?? {}).reduce((sum, queue) => sum + queue.dead, 0)
  const percent = usedPercent(stats?.ring)
  if (agentSilent) alarms.push(words.status.alarmAgent)
  if (stats?.ring?.alarm) alarms.push(stats.ring.alarm)
  else if (percent >= diskWarnPercent) alarms.push(words.status.alarmDisk(percent))
  if (cloudSilent) alarms.push(words.status.alarmCloud)
  if (stats?.upload?.state === 'waiting' && stats.upload.message) alarms.push(stats.upload.message)
  if (dead > 0) alarms.push(words.status.alarmDead(dead))
  if (stats?.door?.lan && stats.door.allowWithoutToken) alarms.push(words.status.alarmOpenPhones)
  return alarms
}
