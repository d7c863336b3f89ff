import type { JSX } from 'preact'
import { agent } from '../api.ts'
import {
  agentHere,
  health,
  mayAdminister,
  onlyStream,
  openRecordings,
  recordings,
  session,
  stats,
  streams,
} from '../model.ts'
import { type Resource, useResources } from '../poll.ts'
import { text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { attempt } from '../ui/notice.tsx'
import { Button } from '../ui/parts.tsx'
import { alarmsOf } from './alarms.ts'
import { AgentCard, CloudCard, DiskCard, UploadCard } from './cards.tsx'
import { Fleet } from './fleet.tsx'
import { LiveCard } from './live-card.tsx'
import { Tokens } from './tokens.tsx'

export function Status(): JSX.Element {
  useResources(stats, health, streams, recordings)
  if (onlyStream.value !== undefined) return <OneStream name={onlyStream.value} />
  const now = stats.value.value
  return (
    <div class="view">
      <header class="view-head">
        <h1>{text.value.sections.status}</h1>
        <WhoAmI />
      </header>
      <Alarms />
      <div class="status-grid">
        {now?.ring && <DiskCard ring={now.ring} />}
        {now?.live && <LiveCard live={now.live} />}
        {now?.upload && <UploadCard upload={now.upload} />}
        <CloudCard health={health.value.value} silent={isSilent(health)} />
        {now && <AgentCard stats={now} />}
        <Fleet />
      </div>
      {agentHere.value && mayAdminister.value && <Tokens />}
    </div>
  )
}

/** A token for one stream has nothing to read here, and may still sign out. */
function OneStream({ name }: { name: string }): JSX.Element {
  return (
    <div class="view">
      <header class="view-head">
        <h1>{text.value.sections.status}</h1>
        <WhoAmI />
      </header>
      <p class="muted">{text.value.status.onlyStream(name)}</p>
    </div>
  )
}

function WhoAmI(): JSX.Element | null {
  const me = session.value.value
  if (!me) return null
  const leave = (): Promise<boolean> =>
    attempt(async () => {
      await agent.closeSession()
      location.reload() // Nothing of what was seen stays in the memory of the page.
    })
  return (
    <div class="actions">
      <span class="muted">{text.value.status.signedInAs(me.subject, me.role)}</span>
      <Button onClick={() => void leave()}>{text.value.status.signOut}</Button>
    </div>
  )
}

/** A refusal is an answer, too. */
const isSilent = ({ error }: Resource<unknown>): boolean =>
  error.value !== undefined && error.value.status !== 403

function Alarms(): JSX.Element | null {
  const known = stats.value.value ?? health.value.value ?? stats.error.value ?? health.error.value
  if (!known) return null
  const alarms = alarmsOf(
    {
      stats: stats.value.value,
      agentSilent: isSilent(stats) && agentHere.value,
      health: health.value.value,
      cloudSilent: isSilent(health),
      streams: streams.value.value ?? [],
      open: openRecordings.value,
    },
    text.value,
  )
  if (alarms.length === 0) {
    return (
      <p class="verdict verdict-ok">
        <Icon name="check" /> {text.value.status.allWell}
      </p>
    )
  }
  return (
    <div class="verdict verdict-warn" role="alert">
      <Icon name="warning" />
      <div>
        <b>{text.value.status.alarms(alarms.length)}</b>
        <ul>
          {alarms.map((alarm) => (
            <li key={alarm}>{alarm}</li>
          ))}
        </ul>
      </div>
    </div>
  )
}
