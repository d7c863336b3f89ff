import type { JSX } from 'preact'
import { useMemo } from 'preact/hooks'
import { agent } from '../api.ts'
import { streams, vehicles } from '../model.ts'
import { createResource, useResources } from '../poll.ts'
import { hrefOf, route } from '../route.ts'
import { text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { Pill, Problem, type Tone } from '../ui/parts.tsx'
import { ChannelFacts } from './channel-facts.tsx'
import { parseChannelName, shownSim } from './channel-name.ts'
import { History } from './history.tsx'
import { LivePanel } from './live-panel.tsx'
import { CommandsAway } from './vehicles.tsx'

/** One channel of a vehicle, connected or not: its live picture, and what the vehicle has recorded. */
export function ChannelPage({ name }: { name: string }): JSX.Element {
  const channel = useMemo(
    () =>
      createResource(
        (signal) => agent.vehicle(name, signal),
        () => true,
      ),
    [name],
  )
  useResources(vehicles, streams, channel)
  const known = channel.value.value
  const error = channel.error.value
  const answer = vehicles.value.value
  const part = route.value.part === 'history' ? 'history' : 'live'
  return (
    <div class="view view-wide">
      <a class="back" href={hrefOf('vehicles')}>
        <Icon name="back" /> {text.value.sections.vehicles}
      </a>
      <Heading name={name} part={part} />
      {answer && <CommandsAway answer={answer} />}
      {error && <Problem message={error.message} onRetry={() => void channel.refresh()} />}
      {known && part === 'history' && <History channel={known} />}
      {known && part === 'live' && (
        <div class="columns">
          <LivePanel name={name} />
          <ChannelFacts name={name} />
        </div>
      )}
      {!known && !error && <p class="muted">{text.value.loading}</p>}
    </div>
  )
}

type HeadingProps = { name: string; part: 'live' | 'history' }

function Heading({ name, part }: HeadingProps): JSX.Element {
  const words = text.value.vehicles
  const parsed = parseChannelName(name)
  const title = parsed ? words.title(shownSim(parsed.sim), parsed.channel) : name
  return (
    <header class="view-head">
      <div class="actions">
        <h1>{title}</h1>
        <StatePill name={name} part={part} />
      </div>
      {parsed?.door === 'live' && (
        <nav class="choice" aria-label={words.views}>
          {(['live', 'history'] as const).map((one) => (
            <a
              key={one}
              class="button button-plain"
              href={hrefOf('vehicles', name, one === 'live' ? undefined : one)}
              aria-current={part === one ? 'page' : undefined}
            >
              <Icon name={one === 'live' ? 'live' : 'clock'} />
              <span>{words[one]}</span>
            </a>
          ))}
        </nav>
      )}
    </header>
  )
}

const tones: Record<'connected' | 'called' | 'away', Tone> = {
  connected: 'ok',
  called: 'busy',
  away: 'plain',
}

/** A vehicle plays what it has recorded over a connection of its own. */
function StatePill({ name, part }: HeadingProps): JSX.Element | null {
  const answer = vehicles.value.value
  if (!answer) return null
  const line = part === 'history' ? `replay-${name}` : name
  const connected = answer.connected.some((channel) => channel.name === line || channel.name === name)
  const called = answer.vehicles.some((wanted) => wanted.name === name && wanted.opened)
  const state = connected ? 'connected' : called ? 'called' : 'away'
  return <Pill tone={tones[state]}>{text.value.vehicles.state[state]}</Pill>
}
