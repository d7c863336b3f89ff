import { computed } from '@preact/signals'
import { agent, cloud } from './api.ts'
import { createResource } from './poll.ts'

/** What several views look at; each is loaded only while one of them is on the page. */
export const streams = createResource(agent.streams)
export const recordings = createResource(agent.recordings)
export const phones = createResource(agent.phones)
export const stats = createResource(agent.stats)
export const health = createResource(cloud.health)

/** Who I am; asked once, and again after each sign-in. */
export const session = createResource(agent.session, () => true)

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

/** False when this page is served by a cloud alone: there is no agent to show live pictures of. */
export const agentHere = computed(() => streams.error.value?.status !== 404)
