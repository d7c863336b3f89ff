import type { JSX } from 'preact'
import type { ConnectedChannel, VehiclesAnswer } from '../../shared/contract/vehicle-api.ts'
import { formatTime } from '../format.ts'
import { hasVehicles, streams, vehicles } from '../model.ts'
import { useResources } from '../poll.ts'
import { language, text } from '../text/text.ts'
import { Empty, Problem } from '../ui/parts.tsx'
import { OpenChannel } from './open-channel.tsx'
import { VehicleCard } from './vehicle-card.tsx'

/** Vehicles that are connected, and the way to one that is not. */
export function Vehicles(): JSX.Element {
  useResources(vehicles, streams)
  const answer = vehicles.value.value
  const error = vehicles.error.value
  return (
    <div class="view">
      <header class="view-head">
        <div>
          <h1>{text.value.sections.vehicles}</h1>
          {answer && answer.connected.length > 0 && <Summary connected={answer.connected} />}
        </div>
      </header>
      {error && <Problem message={error.message} onRetry={() => void vehicles.refresh()} />}
      {answer && !hasVehicles(answer) && <Off />}
      {answer && hasVehicles(answer) && <Content answer={answer} />}
      {!answer && !error && <p class="muted">{text.value.loading}</p>}
    </div>
  )
}

function Summary({ connected }: { connected: ConnectedChannel[] }): JSX.Element {
  const sims = new Set(connected.map(({ sim }) => sim))
  return <p class="muted">{text.value.vehicles.summary(sims.size, connected.length)}</p>
}

function Content({ answer }: { answer: VehiclesAnswer }): JSX.Element {
  const words = text.value.vehicles
  const bySim = Map.groupBy(answer.connected, ({ sim }) => sim)
  return (
    <>
      <CommandsAway answer={answer} />
      <div class="columns">
        <div class="stack">
          {[...bySim]
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([sim, channels]) => (
              <VehicleCard key={sim} sim={sim} channels={channels} histories={answer.histories} />
            ))}
          {bySim.size === 0 && (
            <section class="card">
              <Empty icon="vehicles" title={words.emptyTitle}>
                <p>{words.emptyBody}</p>
              </Empty>
            </section>
          )}
        </div>
        <div class="stack">
          <OpenChannel connected={answer.connected} />
          {!answer.commands && <p class="muted small">{words.noCommands}</p>}
        </div>
      </div>
    </>
  )
}

/** Nobody can be called while this lasts. */
export function CommandsAway({ answer }: { answer: VehiclesAnswer }): JSX.Element | null {
  const { to = '', awaySince, error = '' } = answer.commands ?? {}
  if (awaySince === undefined) return null
  return <Problem message={text.value.vehicles.away(to, formatTime(awaySince, language.value), error)} />
}

function Off(): JSX.Element {
  const words = text.value.vehicles
  return (
    <Empty icon="vehicles" title={words.offTitle}>
      <p>
        {words.offBody} <code>vehicles: {'{ live: { port: 9501 } }'}</code>
      </p>
    </Empty>
  )
}
