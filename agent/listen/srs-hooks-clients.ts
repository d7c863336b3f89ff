import { z } from 'zod'
import { AppError } from '../../shared/error.ts'
import type { Clock } from '../../shared/node/clock.ts'
import { srsClientsMax, srsPageMax, srsPollMs, srsRequestMs } from '../../shared/vehicle-limits.ts'
import type { SrsClient } from './srs-hooks-viewers.ts'

const answer = z.object({
  clients: z.array(
    z.object({
      id: z.union([z.string(), z.number()]).transform(String),
      url: z.string().default(''),
      publish: z.boolean().default(false),
    }),
  ),
})

export type SrsPlayer = SrsClient & { app: string }

/** All who play, of SRS's `GET /api/v1/clients`, page by page. `Unavailable` when it does not answer as SRS does. */
export async function srsPlayers(api: string, signal: AbortSignal): Promise<SrsPlayer[]> {
  const players: SrsPlayer[] = []
  for (let start = 0; start < srsClientsMax; start += srsPageMax) {
    const { clients } = await page(
      `${api.replace(/\/+$/, '')}/api/v1/clients?start=${start}&count=${srsPageMax}`,
      signal,
    )
    players.push(...clients.filter(({ publish }) => !publish).flatMap(({ id, url }) => playerOf(id, url)))
    if (clients.length < srsPageMax) break
  }
  return players
}

async function page(url: string, signal: AbortSignal): Promise<z.output<typeof answer>> {
  try {
    const response = await fetch(url, { signal, redirect: 'error' })
    if (!response.ok) throw new Error(`it answered ${response.status}`)
    return answer.parse(await response.json())
  } catch (cause) {
    throw new AppError('Unavailable', `SRS does not say who watches: is srs.api right?`, {
      cause,
      zh: 'SRS 没有返回观看者列表：请检查 srs.api。',
    })
  }
}

/** `/live/06495940943803` or `…flv`; the last part is the stream, the one before it the app. */
function playerOf(id: string, url: string): SrsPlayer[] {
  const [, app, name] = /\/([^/?]+)\/([^/?]+?)(?:\.flv)?(?:\?.*)?$/.exec(url) ?? []
  return app === undefined || name === undefined ? [] : [{ id, app, device: name.toLowerCase() }]
}

type Watch = {
  api: string
  clock: Clock
  signal: AbortSignal
  onPlayers: (players: readonly SrsPlayer[], askedMs: number) => void
  /** It does not answer, told once until it does. */
  onAway: (error: AppError) => void
}

/** Asks every while, until aborted. */
export async function watchSrs({ api, clock, signal, onPlayers, onAway }: Watch): Promise<void> {
  for (let isAway = false; ; ) {
    await clock.sleep(srsPollMs, signal)
    const askedMs = clock.monotonicMs()
    try {
      onPlayers(await srsPlayers(api, AbortSignal.any([signal, AbortSignal.timeout(srsRequestMs)])), askedMs)
      isAway = false
    } catch (cause) {
      if (!isAway && !signal.aborted) onAway(AppError.from(cause))
      isAway = true
    }
  }
}
