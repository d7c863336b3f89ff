import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { instanceHeader } from '../../shared/contract/agents-api.ts'
import { socketPath } from '../../shared/node/socket-path.ts'
import { version } from '../../shared/version.ts'
import { agentName } from '../agent-name.ts'
import { openAgentFile } from '../control/agent-file.ts'
import { createHooks, type Hooks } from '../control/hooks.ts'
import { machineInstance } from '../machine-instance.ts'
import { Recorders } from '../record/recorders.ts'
import { Recordings, type RecordingsOptions } from '../record/recordings.ts'
import { openRing } from '../ring/ring.ts'
import type { Ring } from '../ring/types.ts'
import { tell } from '../tell.ts'
import { createCloudClient } from '../upload/cloud-client.ts'
import { startUploader, type Uploader, type UploaderOptions } from '../upload/uploader.ts'
import { Wanted } from '../wanted.ts'
import type { AgentOptions } from './options.ts'

export type Kept = Awaited<ReturnType<typeof startKeeping>>

/** The disk and the way to the cloud; recordings are claims on the disk. */
export async function startKeeping(stack: AsyncDisposableStack, options: AgentOptions) {
  const { data, config, clock, log, onFatal } = options
  const say = tell(log)
  const file = await openAgentFile(join(data, 'agent.json'), { name: agentName() })
  const { uuid, name } = file.record
  const { quota: quotaBytes, whenFull, segmentSeconds } = config.ring
  const ring = stack.use(
    await openRing({ dir: data, agent: { uuid, name }, quotaBytes, whenFull, clock, onFatal }),
  )
  say.recovery(ring.recovery)
  const internalToken = await readFile(join(data, 'internal.token'), 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  )
  const wanted = new Wanted({ file, config })
  const parts = { ring, name, internalToken, wanted, instance: await machineInstance(data) }
  const uploader = stack.use(startUploader(uploaderOptions(options, parts)))
  const agent = { uuid, name }
  const hooks = stack.use(createHooks({ config: config.hooks, agent, clock, onFailed: say.hook }))
  const recorders = stack.use(
    new Recorders({ ring, clock, segmentMs: segmentSeconds * 1000, onGap: say.gap }),
  )
  const recordings = stack.use(
    new Recordings({
      agent: name,
      ring: telling(ring, uploader, hooks),
      recorder: recorders,
      clock,
      onFault: say.fault,
    }),
  )
  stack.adopt(
    ring.onSealed(() => uploader.wake()),
    (stop) => stop(),
  )
  stack.adopt(ring.onLost(say.gap), (stop) => stop())
  stack.adopt(ring.onAlarm(say.alarm), (stop) => stop())
  return { file, name, ring, internalToken, uploader, wanted, recorders, recordings, hooks }
}

/** A closed recording goes up at once, as a sealed segment does, and hooks are told. */
function telling(ring: Ring, uploader: Uploader, hooks: Hooks): RecordingsOptions['ring'] {
  return {
    saveRecording: async (recording) => {
      await ring.saveRecording(recording)
      uploader.wake()
      if (recording.state === 'closed') hooks.recorded(recording)
    },
    recordings: () => ring.recordings(),
    recording: (id) => ring.recording(id),
    segments: (range) => ring.segments(range),
    gaps: (range) => ring.gaps(range),
  }
}

type UploadParts = {
  ring: Ring
  name: string
  internalToken: string | undefined
  wanted: Wanted
  instance: string
}

function uploaderOptions(
  { data, config, clock, log }: AgentOptions,
  { ring, name, internalToken, wanted, instance }: UploadParts,
): UploaderOptions {
  const { api, token, bandwidth, hours } = config.cloud
  const local = {
    authorization: `Bearer ${internalToken ?? ''}`,
    'x-edgereel-role': 'device',
    'x-edgereel-subject': name,
  }
  const remote = { authorization: `Bearer ${token ?? ''}`, [instanceHeader]: instance }
  return {
    source: ring,
    client: createCloudClient({
      base: api === 'local' ? `unix:${socketPath(data, 'cloud')}` : api,
      headers: () => (api === 'local' ? local : remote),
      clock,
    }),
    clock,
    random: Math.random,
    bandwidth,
    hours,
    version,
    agentState: () => ({ ring: ring.stats() }),
    wanted,
    onAlarm: tell(log).upload,
  }
}
