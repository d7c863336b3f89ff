import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { HistoryInfo } from '../../shared/contract/vehicle-api.ts'
import { mayOperate } from '../model.ts'
import { text } from '../text/text.ts'
import { timeIn } from './zone-time.ts'

type BarProps = { history: HistoryInfo; zoneMs: number; seek: (at: number) => void }

/** Where a range is, in the vehicle's time; moved by whoever may. */
export function PositionBar({ history, zoneMs, seek }: BarProps): JSX.Element {
  const [held, setHeld] = useState<number>()
  const { from, to, position, state, recording } = history
  const at = held ?? Math.min(Math.max(position, from), to)
  const fixed = state === 'over' || recording !== undefined || !mayOperate.value
  return (
    <label class="position">
      <span class="unseen">{text.value.vehicles.position}</span>
      <input
        type="range"
        min={from}
        max={to}
        step={1000}
        value={at}
        disabled={fixed}
        aria-valuetext={timeIn(at, zoneMs)}
        onInput={(event) => setHeld(event.currentTarget.valueAsNumber)}
        onChange={(event) => {
          setHeld(undefined)
          seek(event.currentTarget.valueAsNumber)
        }}
      />
      <output class="number">{timeIn(at, zoneMs)}</output>
    </label>
  )
}
