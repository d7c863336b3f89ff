import type { JSX } from 'preact'
import { useEffect, useRef } from 'preact/hooks'
import type { RecordingItem } from '../../shared/contract/api.ts'
import { streams } from '../model.ts'
import { text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { Button } from '../ui/parts.tsx'
import { type Filters, filters, isFiltered, noFilters, setFilters } from './archive-model.ts'

const typingMs = 300 // A question per word, not per letter.

export function FilterBar({ items }: { items: RecordingItem[] }): JSX.Element {
  const words = text.value.archive
  const now = filters.value
  const change = (part: Partial<Filters>): void => setFilters({ ...filters.value, ...part })
  const names = streamNames(items, now.stream)
  return (
    <search class="filters">
      <TitleSearch key={now === noFilters ? 'none' : 'some'} onTitle={(title) => change({ title })} />
      <select
        aria-label={words.stream}
        value={now.stream}
        onChange={(event) => change({ stream: event.currentTarget.value })}
      >
        <option value="">{words.anyStream}</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      {(['from', 'to'] as const).map((key) => (
        <label key={key} class="filter-date">
          <span>{words[key]}</span>
          <input
            type="date"
            value={now[key]}
            onChange={(event) => change({ [key]: event.currentTarget.value })}
          />
        </label>
      ))}
      {isFiltered() && (
        <Button kind="quiet" icon="close" onClick={() => setFilters(noFilters)}>
          {words.clear}
        </Button>
      )}
    </search>
  )
}

function TitleSearch({ onTitle }: { onTitle: (title: string) => void }): JSX.Element {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  const words = text.value.archive
  return (
    <label class="search-box">
      <Icon name="search" />
      <input
        type="search"
        aria-label={words.search}
        placeholder={words.search}
        maxLength={200}
        defaultValue={filters.value.title}
        onInput={(event) => {
          const title = event.currentTarget.value
          clearTimeout(timer.current)
          timer.current = setTimeout(() => onTitle(title), typingMs)
        }}
      />
    </label>
  )
}

/** Cameras that are here now, those of the recordings in sight, and the one that is chosen. */
function streamNames(items: RecordingItem[], chosen: string): string[] {
  const names = new Set(items.flatMap((item) => item.streams))
  for (const { name } of streams.value.value ?? []) names.add(name)
  if (chosen !== '') names.add(chosen)
  return [...names].sort()
}
