import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { RecordingItem } from '../../shared/contract/api.ts'
import { nowMs } from '../clock.ts'
import { dayKey } from '../format.ts'
import { recordings } from '../model.ts'
import { useResources } from '../poll.ts'
import { hrefOf } from '../route.ts'
import { text } from '../text/text.ts'
import { attempt } from '../ui/notice.tsx'
import { Button, Empty, Problem } from '../ui/parts.tsx'
import {
  allItems,
  firstPage,
  hasMore,
  isFiltered,
  loadOlder,
  noFilters,
  setFilters,
} from './archive-model.ts'
import { RecordingCard } from './card.tsx'
import { FilterBar } from './filter-bar.tsx'
import { dayTitle } from './words.ts'

/** Everything that was recorded, newest first, by day. */
export function Archive(): JSX.Element {
  useResources(firstPage, recordings)
  const error = firstPage.error.value
  const loaded = firstPage.value.value !== undefined
  const items = allItems()
  return (
    <div class="view view-wide">
      <header class="view-head">
        <h1>{text.value.sections.archive}</h1>
      </header>
      <FilterBar items={items} />
      {error && <Problem message={error.message} onRetry={() => void firstPage.refresh()} />}
      {byDay(items).map(([key, day]) => (
        <section key={key} class="day">
          <h2>{dayTitle(day[0]?.from ?? 0, nowMs())}</h2>
          <div class="cards">
            {day.map((item) => (
              <RecordingCard key={item.id} recording={item} />
            ))}
          </div>
        </section>
      ))}
      {loaded && items.length === 0 && !hasMore() && <NothingHere />}
      {!loaded && !error && <Skeleton />}
      {hasMore() && <More />}
    </div>
  )
}

function byDay(items: RecordingItem[]): [string, RecordingItem[]][] {
  return [...Map.groupBy(items, ({ from }) => dayKey(from))]
}

function NothingHere(): JSX.Element {
  const words = text.value.archive
  if (isFiltered()) {
    return (
      <Empty icon="search" title={words.nothingTitle}>
        <p>{words.nothingBody}</p>
        <Button onClick={() => setFilters(noFilters)}>{words.clear}</Button>
      </Empty>
    )
  }
  return (
    <Empty icon="archive" title={words.emptyTitle}>
      <p>{words.emptyBody}</p>
      <a class="button button-primary" href={hrefOf('live')}>
        {words.emptyAction}
      </a>
    </Empty>
  )
}

function More(): JSX.Element {
  const [busy, setBusy] = useState(false)
  const more = async (): Promise<void> => {
    setBusy(true)
    await attempt(loadOlder)
    setBusy(false)
  }
  return (
    <p class="more">
      <Button busy={busy} onClick={() => void more()}>
        {text.value.more}
      </Button>
    </p>
  )
}

function Skeleton(): JSX.Element {
  return (
    <div class="cards" aria-busy="true" role="status" aria-label={text.value.loading}>
      {[1, 2, 3].map((n) => (
        <div key={n} class="recording-card skeleton" />
      ))}
    </div>
  )
}
