import type { JSX } from 'preact'
import { agent } from '../api.ts'
import { signedOut } from '../http.ts'
import { agentHere, health, mayAdminister, session, stats } from '../model.ts'
import { useResources } from '../poll.ts'
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
  useResources(stats, health)
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
        <CloudCard health={health.value.value} silent={health.error.value !== undefined} />
        {now && <AgentCard stats={now} />}
        <Fleet />
      </div>
      {agentHere.value && mayAdminister.value && <Tokens />}
    </div>
  )
}

function WhoAmI(): JSX.Element | null {
  const me = session.value.value
  if (!me) return null
  const leave = (): Promise<boolean> =>
    attempt(async () => {
      await agent.closeSession()
      signedOut.value = true
    })
  return (
    <div class="actions">
      <span class="muted">{text.value.status.signedInAs(me.subject, me.role)}</span>
      <Button onClick={() => void leave()}>{text.value.status.signOut}</Button>
    </div>
  )
}

function Alarms(): JSX.Element | null {
  const known = stats.value.value ?? health.value.value ?? stats.error.value ?? health.error.value
  if (!known) return null
  const alarms = alarmsOf(
    {
      stats: stats.value.value,
      agentSilent: stats.error.value !== undefined && agentHere.value,
      health: health.value.value,
      cloudSilent: health.error.value !== undefined,
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
