import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openAgentFile } from '../../agent/control/agent-file.ts'
import { createAuth } from '../../agent/control/auth.ts'
import type { Commands } from '../../agent/control/commands-port.ts'
import { createGrpc } from '../../agent/control/grpc/grpc.ts'
import type { OpenedSource } from '../../agent/control/grpc/media-service.ts'
import { createSignedPaths } from '../../agent/control/signed-path.ts'
import { openTokens } from '../../agent/control/tokens.ts'
import { createHub } from '../../agent/hub/hub.ts'
import type { Role } from '../../shared/contract/agent-api.ts'
import { systemClock } from '../../shared/node/clock.ts'
import { fakeCommands } from './door-rig.ts'
import { MediaClient } from './grpc-client.ts'

type Options = {
  /** How far the monotonic clock of the agent is ahead. */
  aheadMs?: () => number
  keyFrameWaitMs?: number
  list?: Commands['streams']['list']
  commands?: Partial<Commands>
  openSource?: (uri: string, track?: string) => Promise<OpenedSource>
}

/** The gRPC doors of an agent over a real hub, tokens and fake commands, on a port and a socket of their own. */
export async function openGrpcRig(options: Options = {}) {
  const stack = new AsyncDisposableStack()
  const directory = await mkdtemp(join(tmpdir(), 'edgereel-grpc-'))
  stack.defer(() => rm(directory, { recursive: true }))
  const calls: string[] = []
  const { aheadMs = () => 0, keyFrameWaitMs } = options
  const clock = { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + aheadMs() }
  const commands = fakeCommands(calls)
  if (options.list) commands.streams.list = options.list
  const faults: unknown[] = []
  const latenciesMs: number[] = []
  const sink = { write: () => undefined, gap: () => undefined, end: () => undefined }
  const hub = stack.use(createHub({ openSink: () => sink, clock, onEvent: () => undefined, graceMs: 200 }))
  const file = await openAgentFile(join(directory, 'agent.json'), { name: 'test' })
  const tokens = await openTokens({ file, adminPath: join(directory, 'admin.token'), clock })
  const links = createSignedPaths({ keyHex: file.record.linkKey, nms: { play: null, publish: null }, clock })
  const grpc = stack.use(
    await createGrpc({
      commands: { ...commands, ...options.commands },
      findStream: (name) => hub.stream(name),
      ...(options.openSource && { openSource: options.openSource }),
      auth: createAuth({ tokens, links, file, clock, port: 0 }),
      clock,
      ...(keyFrameWaitMs === undefined ? {} : { keyFrameWaitMs }),
      onHanded: (ms) => latenciesMs.push(ms),
      onFault: (error) => faults.push(error),
    }),
  )
  const port = await grpc.listen({ host: '127.0.0.1', port: 0 })
  const socketPath = join(directory, 'edgereel.sock')
  await grpc.listenSocket(socketPath)
  const token = async (role: Role, stream?: string) =>
    (await tokens.create({ name: `t${tokens.list().length}`, role, ...(stream && { stream }) })).token
  return {
    ...{ hub, grpc, port, socketPath, calls, faults, latenciesMs, token },
    publish: (name: string) =>
      hub.publish({ name, kind: 'test', identity: 'test', onDisplaced: () => undefined }),
    /** Over TCP, with a token of this role; over the socket when there is none. */
    client: async (role?: Role, stream?: string) =>
      stack.use(
        role === undefined
          ? await MediaClient.open(`unix:${socketPath}`)
          : await MediaClient.open(`127.0.0.1:${port}`, { token: await token(role, stream) }),
      ),
    stranger: async (token: string | undefined, address = `127.0.0.1:${port}`) =>
      stack.use(await MediaClient.open(address, { token })),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}
