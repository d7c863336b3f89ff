import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { HistoryItem, VehicleChannelInfo } from '../../shared/contract/vehicle-api.ts'
import { agent } from '../api.ts'
import { nowMs } from '../clock.ts'
import { mayOperate, recordings, streams, vehicles } from '../model.ts'
import { hrefOf } from '../route.ts'
import { text } from '../text/text.ts'
import { attempt, tell } from '../ui/notice.tsx'
import { HistoryForm } from './history-form.tsx'
import { HistoryList, type Play } from './history-list.tsx'
import { HistoryPlayer } from './history-player.tsx'
import { fieldsOf } from './zone-time.ts'

const firstRangeMs = 600_000 // What one looks for has mostly just happened.

/** What a vehicle has recorded of a channel: found, played, and taken into the archive. */
export function History({ channel }: { channel: VehicleChannelInfo }): JSX.Element {
  const { name, zoneMs } = channel
  const [fields, setFields] = useState(() => {
    const now = Math.floor(nowMs() / 60_000) * 60_000
    return fieldsOf({ from: now - firstRangeMs, to: now }, zoneMs)
  })
  const [title, setTitle] = useState('')
  const [items, setItems] = useState<HistoryItem[]>()
  const answer = vehicles.value.value
  const possible = answer?.doors.includes('history') && answer.commands !== undefined
  const played = answer?.histories.find(({ vehicle }) => vehicle === name)
  const play: Play = (range, record) => {
    setFields(fieldsOf(range, zoneMs))
    return startHistory(name, range, record, title)
  }
  return (
    <div class={played ? 'columns' : 'columns form-first'}>
      <div class="stack">
        {played && <HistoryPlayer key={played.stream} history={played} zoneMs={zoneMs} />}
        {items && <HistoryList items={items} zoneMs={zoneMs} play={play} />}
        {!played && !items && <p class="muted">{possible ? null : text.value.vehicles.noHistoryPort}</p>}
      </div>
      {mayOperate.value ? (
        <HistoryForm
          {...{ name, zoneMs, fields, setFields, title, setTitle, setItems, play }}
          disabled={!possible}
        />
      ) : (
        <p class="muted">{text.value.vehicles.mayNot}</p>
      )}
    </div>
  )
}

function startHistory(
  name: string,
  range: { from: number; to: number },
  record: boolean,
  title: string,
): Promise<boolean> {
  return attempt(async () => {
    const words = text.value.vehicles
    const about = record && title.trim() !== '' ? { title: title.trim() } : {}
    const { recording } = await agent.playHistory(name, { ...range, record, ...about })
    if (recording !== undefined)
      tell(words.started, { href: hrefOf('archive', recording), words: words.showRecording })
    await Promise.all([vehicles.refresh(), streams.refresh(), recordings.refresh()])
  })
}
