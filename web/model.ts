import { computed } from '@preact/signals'
import type { StreamInfo } from '../shared/contract/agent-api.ts'
import type { Recording } from '../shared/contract/recording.ts'
import type { VehiclesAnswer } from '../shared/contract/vehicle-api.ts'
import { agent, cloud } from './api.ts'
import { ApiError } from './http.ts'
import { createResource } from './poll.ts'

/** Who I am; asked once, and again after each sign-in. */
export const session = createResource(agent.session, () => true)
/** The one stream that this token opens; all of them when undefined. */
export const onlyStream = computed(() => session.value.value?.stream)
session.value.subscribe(() => {
  if (onlyStream.value !== undefined) void streams.refresh() // Asked for all before it was known who asks.
})

/** What several views look at; each is loaded only while one of them is on the page. */
export const streams = createResource(findStreams)
export const recordings = createResource(findRecordings)
export const phones = createResource(agent.phones)
export const stats = createResource(agent.stats)
export const health = createResource(cloud.health)
/** Asked once where no vehicle can ever come: ports and commands are those of the agent's start. */
export const vehicles = createResource(agent.vehicles, (answer) => !hasVehicles(answer))

/** All of them; with a token for one stream, that one. */
async function findStreams(signal: AbortSignal): Promise<StreamInfo[]> {
  const only = onlyStream.value
  if (only === undefined) return await agent.streams(signal)
  const found = await agent.stream(only, signal).catch((cause: unknown) => {
    if (cause instanceof ApiError && cause.status === 404) return undefined
    throw cause
  })
  return found ? [found] : []
}

const newest = 20 // The open ones are nearly always among these, and each may list a thousand segments.
const farthest = 500

/** The newest recordings; many more only when a stream names an open one that is not among them. */
async function findRecordings(signal: AbortSignal): Promise<Recording[]> {
  const first = await agent.recordings(newest, signal)
  const known = new Set(first.map(({ id }) => id))
  const open = streams.value.value?.flatMap((stream) => stream.recordings) ?? []
  return open.every((id) => known.has(id)) ? first : agent.recordings(farthest, signal)
}

// While it is not known (or a cloud alone serves the page) everything is offered: the server decides anyway.
const role = computed(() => session.value.value?.role ?? 'admin')
export const mayOperate = computed(() => role.value === 'operator' || role.value === 'admin')
export const mayAdminister = computed(() => role.value === 'admin')

/** Recordings that go on now, oldest first: the order in which they were started stays put on the page. */
export const openRecordings = computed(() =>
  (recordings.value.value ?? [])
    .filter(({ state }) => state !== 'closed')
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)),
)

export function hasVehicles({ doors, commands, connected }: VehiclesAnswer): boolean {
  return doors.length > 0 || commands !== undefined || connected.length > 0
}

export const vehiclesHere = computed(() => {
  const answer = vehicles.value.value
  return answer !== undefined && hasVehicles(answer)
})

/** False when this page is served by a cloud alone: there is no agent to show live pictures of. */
export const agentHere = computed(() => streams.error.value?.status !== 404)
