import { AppError } from '../../shared/error.ts'
import { commandTimeoutMs } from '../../shared/vehicle-limits.ts'
import type { CommandSink } from './vehicle-command-queue.ts'

const redisPingMs = 20_000

type RedisOptions = { url: string; key: string }

/** As much of a connected client as is used here. */
type Client = {
  readonly isReady: boolean
  readonly isOpen: boolean
  rPush(key: string, value: string): Promise<number>
  destroy(): void
}

/**
 * `RPUSH` to the list that the platform reads. The connection is made at once, so that the first who watches does not
 * wait for it, is kept, and is made anew by the next command when it was lost.
 */
export function redisSink({ url, key }: RedisOptions): CommandSink {
  let connected: Client | undefined
  const stop = new AbortController()
  const drop = (client: Client | undefined) => {
    if (connected === client) connected = undefined
    if (client?.isOpen) client.destroy()
  }
  const dial = (signal: AbortSignal) =>
    connect(url, signal, (client) => {
      if (connected === client) connected = undefined
    })
  let first: Promise<Client | undefined> | undefined = dial(stop.signal).catch(() => undefined) // The first command says why.
  const use = async (signal: AbortSignal) => {
    const early = await first
    first = undefined
    connected ??= early?.isReady ? early : await dial(signal)
    return connected
  }
  return {
    display: displayOf(url, key),
    send: async ({ json }, signal) => {
      const client = await use(signal)
      const hangUp = () => drop(client) // A Redis that is stopped in mid-flight answers nothing: that ends the call.
      signal.addEventListener('abort', hangUp, { once: true })
      try {
        await client.rPush(key, json)
      } catch (cause) {
        drop(client)
        throw failure(cause)
      } finally {
        signal.removeEventListener('abort', hangUp)
      }
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      const early = await first
      drop(connected ?? early)
    },
  }
}

async function connect(url: string, signal: AbortSignal, onLost: (client: Client) => void): Promise<Client> {
  const { createClient } = await import('@redis/client') // Only where it is used: it takes 50 MB.
  const client = createClient({
    url,
    pingInterval: redisPingMs, // A connection that a router has forgotten is found before somebody watches.
    disableOfflineQueue: true, // The queue is ours: it has an order, a bound and an end.
    socket: { reconnectStrategy: false, connectTimeout: commandTimeoutMs },
  })
  client.on('error', () => onLost(client))
  client.on('end', () => onLost(client))
  const hangUp = () => {
    if (client.isOpen) client.destroy()
  }
  signal.addEventListener('abort', hangUp, { once: true })
  try {
    await client.connect()
    return client
  } catch (cause) {
    throw failure(cause)
  } finally {
    signal.removeEventListener('abort', hangUp)
  }
}

/** Wrong words to Redis (a password, a key of another type) do not become right by repetition, but somebody may mend them. */
function failure(cause: unknown): AppError {
  const reason = cause instanceof Error ? (/^[A-Z]{4,}/.exec(cause.message)?.[0] ?? '') : ''
  const words = reason === '' ? 'Redis cannot be reached' : `Redis refuses the command (${reason})`
  return new AppError('Unavailable', words, { cause, zh: '无法将指令写入 Redis。' })
}

function displayOf(text: string, key: string): string {
  const { hostname, port } = new URL(text)
  return `redis ${hostname}:${port || 6379} ${key}`
}
