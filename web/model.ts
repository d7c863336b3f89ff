import { computed } from '@preact/signals'
import { agent, cloud } from './api.ts'
import { createResource } from './poll.ts'

/** What several views look at; each is loaded only while one of them is on the page. */
export const streams = createResource(agent.streams)
export const recordings = createResource(agent.recordings)
export const phones = createResource(agent.phones)
export const stats = createResource(agent.stats)
export const health = createResource(cloud.health)

/** Recordings that go on now, oldest first: the order in which they were started stays put on the page. */
export const openRecordings = computed(() =>
  (recordings.value.value ?? [])
    .filter(({ state }) => state !== 'closed')
    .sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)),
)

/** False when this page is served by a cloud alone: there is no agent to show live pictures of. */
export const agentHere = computed(() => streams.error.value?.status !== 404)
