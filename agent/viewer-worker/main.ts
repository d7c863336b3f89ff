/**
 * A process that only sends (docs/decisions/0008): the agent lets viewers in and hands their sockets and the units of
 * what they watch over to it. It keeps nothing that is not gone with a viewer, and ends with the agent.
 */
import { Socket } from 'node:net'
import { viewerWorkerFiguresMs } from '../../shared/limits.ts'
import { type Clock, systemClock } from '../../shared/node/clock.ts'
import { PipeReader } from '../play/pipe-frames.ts'
import type { FromWorker, PipeMessage, ToWorker } from '../play/worker-messages.ts'
import { Sending } from './sending.ts'

const pipeDescriptor = 4 // Behind the three usual ones and the process channel.

function say(message: FromWorker): void {
  if (process.connected) process.send?.(message, undefined, {}, () => undefined) // The agent died: so do we.
}

/** This process's clock, set to count from where the agent's does. */
function clockOf(clockMs: number): Clock {
  const ownMs = systemClock.monotonicMs() - Number(process.hrtime.bigint()) / 1e6
  return { ...systemClock, monotonicMs: () => systemClock.monotonicMs() + clockMs - ownMs }
}

function begin({ clockMs, mergeMs }: Extract<ToWorker, { type: 'hello' }>): Sending {
  const sending = new Sending({ clock: clockOf(clockMs), mergeMs, say })
  const reader = new PipeReader((message) => sending.piped(message as PipeMessage))
  const pipe = new Socket({ fd: pipeDescriptor, readable: true, writable: false })
  pipe.on('data', (bytes: Buffer) => reader.push(bytes))
  pipe.on('error', () => process.exit())
  setInterval(() => sending.tell(), viewerWorkerFiguresMs)
  say({ type: 'ready' })
  return sending
}

let sending: Sending | undefined

process.on('message', (message: ToWorker, socket?: Socket) => {
  if (message.type === 'hello') sending = begin(message)
  else if (message.type === 'join') sending?.join(message, socket)
  else if (message.type === 'close') sending?.close(message.viewer)
  else sending?.stop().then(() => process.exit())
})
process.on('disconnect', () => process.exit())
// A terminal's Ctrl-C reaches the whole group: the agent says when this one ends.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
