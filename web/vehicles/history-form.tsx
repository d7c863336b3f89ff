import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { HistoryItem } from '../../shared/contract/vehicle-api.ts'
import { agent } from '../api.ts'
import { nowMs } from '../clock.ts'
import { ApiError } from '../http.ts'
import { text } from '../text/text.ts'
import { Button, Field, Problem } from '../ui/parts.tsx'
import type { Play } from './history-list.tsx'
import { dayIn, type RangeFields, rangeOf, zoneName } from './zone-time.ts'

type FormProps = {
  name: string
  zoneMs: number
  fields: RangeFields
  setFields: (fields: RangeFields) => void
  title: string
  setTitle: (title: string) => void
  setItems: (items: HistoryItem[] | undefined) => void
  play: Play
  disabled: boolean
}

/** Which part of a vehicle's recordings, in the vehicle's own time, and what to do with it. */
export function HistoryForm(props: FormProps): JSX.Element {
  const { name, zoneMs, fields, setItems, play, disabled } = props
  const words = text.value.vehicles
  const range = rangeOf(fields, zoneMs, nowMs())
  const { ask, busy, error } = useQuestion(name, setItems)
  const [starting, setStarting] = useState<'play' | 'record'>()
  const start = async (what: 'play' | 'record'): Promise<void> => {
    if (!range) return
    setStarting(what)
    await play(range, what === 'record')
    setStarting(undefined)
  }
  return (
    <section class="card">
      <h2>{words.history}</h2>
      <p class="muted small">{words.zone(zoneName(zoneMs))}</p>
      <form
        class="history-form"
        onSubmit={(event) => {
          event.preventDefault()
          void start('play')
        }}
      >
        <RangeInputs {...props} bad={range === undefined} />
        <div class="actions">
          <Button icon="search" busy={busy} disabled={!range || disabled} onClick={() => range && ask(range)}>
            {words.ask}
          </Button>
          <Button kind="primary" icon="play" submit busy={starting === 'play'} disabled={!range || disabled}>
            {words.play}
          </Button>
        </div>
        {busy && (
          <p class="muted small" role="status">
            {words.asking}
          </p>
        )}
        {error !== undefined && <Problem message={error} />}
        <TitleInput {...props} />
        <Button
          kind="record"
          icon="record"
          busy={starting === 'record'}
          disabled={!range || disabled}
          onClick={() => void start('record')}
        >
          {words.record}
        </Button>
        <p class="muted small">{words.recordHint}</p>
      </form>
    </section>
  )
}

function TitleInput({ title, setTitle }: FormProps): JSX.Element {
  return (
    <Field label={text.value.vehicles.recordTitle}>
      <input
        type="text"
        name="title"
        maxLength={200}
        value={title}
        onInput={(event) => setTitle(event.currentTarget.value)}
      />
    </Field>
  )
}

function RangeInputs({ fields, setFields, zoneMs, bad }: FormProps & { bad: boolean }): JSX.Element {
  const words = text.value.vehicles
  const change = (part: Partial<RangeFields>): void => setFields({ ...fields, ...part })
  return (
    <>
      <Field label={words.day} error={bad ? words.rangeBad : undefined}>
        <input
          type="date"
          name="day"
          required
          max={dayIn(nowMs(), zoneMs)}
          value={fields.day}
          aria-invalid={bad}
          onInput={(event) => change({ day: event.currentTarget.value })}
        />
      </Field>
      <div class="fields">
        {(['from', 'to'] as const).map((key) => (
          <Field key={key} label={words[key]}>
            <input
              type="time"
              name={key}
              step={1}
              required
              value={fields[key]}
              aria-invalid={bad}
              onInput={(event) => change({ [key]: withSeconds(event.currentTarget.value) })}
            />
          </Field>
        ))}
      </div>
    </>
  )
}

/** A time field leaves out seconds that are 0. */
function withSeconds(time: string): string {
  return /^\d\d:\d\d$/.test(time) ? `${time}:00` : time
}

/** Asks the vehicle, whose answer comes by way of its platform; the newest question counts. */
function useQuestion(name: string, setItems: FormProps['setItems']) {
  const flight = useRef<AbortController>(undefined)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string>()
  useEffect(() => () => flight.current?.abort(), [])
  const ask = (range: { from: number; to: number }): void => {
    flight.current?.abort()
    const mine = new AbortController()
    flight.current = mine
    setBusy(true)
    setError(undefined)
    setItems(undefined)
    agent
      .queryHistory(name, range, mine.signal)
      .then(setItems, (cause: unknown) => {
        if (!mine.signal.aborted) setError(cause instanceof ApiError ? cause.message : String(cause))
      })
      .finally(() => {
        if (flight.current === mine) setBusy(false)
      })
  }
  return { ask, busy, error }
}
