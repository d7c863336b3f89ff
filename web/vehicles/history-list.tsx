import type { JSX } from 'preact'
import type { HistoryItem } from '../../shared/contract/vehicle-api.ts'
import { formatBytes, formatDuration } from '../format.ts'
import { text } from '../text/text.ts'
import { Button, Pill } from '../ui/parts.tsx'
import { dayIn, timeIn } from './zone-time.ts'

/** Has the vehicle play a range; with `record` into the archive. */
export type Play = (range: { from: number; to: number }, record: boolean) => Promise<unknown>

type ListProps = { items: HistoryItem[]; zoneMs: number; play: Play }

/** What a vehicle says that it holds, to be played or recorded file by file. */
export function HistoryList({ items, zoneMs, play }: ListProps): JSX.Element {
  const words = text.value.vehicles
  const bytes = items.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return (
    <section class="card card-flush">
      <h2>{words.list}</h2>
      <p class="muted small list-note">
        {items.length === 0 ? words.nothingHeld : words.held(items.length, formatBytes(bytes))}
      </p>
      {items.length > 0 && (
        <table class="table">
          <thead>
            <tr>
              <th>{words.time}</th>
              <th>{words.content}</th>
              <th class="number">{words.size}</th>
              <th />
            </tr>
          </thead>
          <tbody>
            {items.map((item) => (
              <ItemRow key={`${item.from} ${item.stream} ${item.memory}`} {...{ item, zoneMs, play }} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}

function ItemRow({ item, zoneMs, play }: Omit<ListProps, 'items'> & { item: HistoryItem }): JSX.Element {
  const words = text.value.vehicles
  const { from, to, media, stream, memory, sizeBytes, alarm } = item
  const time = `${dayIn(from, zoneMs)} ${timeIn(from, zoneMs)}`
  const content = [
    words.media[media],
    stream === 'any' ? undefined : words.streamOf[stream],
    memory === 'any' ? undefined : words.memoryOf[memory],
  ]
  return (
    <tr>
      <td>
        <b class="number">
          {time} <span class="item-time">– {timeIn(to, zoneMs)}</span>
        </b>
        <span class="muted small block">{formatDuration(to - from)}</span>
      </td>
      <td data-label={words.content}>
        <span>
          {content.filter((word) => word !== undefined).join(', ')}{' '}
          {/[1-9a-f]/i.test(alarm) && <Pill tone="warn">{words.alarm}</Pill>}
        </span>
      </td>
      <td class="number" data-label={words.size}>
        {formatBytes(sizeBytes)}
      </td>
      <td class="item-actions">
        <Button icon="play" label={words.playItem(time)} onClick={() => void play({ from, to }, false)} />
        <Button
          kind="record"
          icon="record"
          label={words.recordItem(time)}
          onClick={() => void play({ from, to }, true)}
        />
      </td>
    </tr>
  )
}
