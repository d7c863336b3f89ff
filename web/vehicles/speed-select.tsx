import type { JSX } from 'preact'
import type { HistoryControl } from '../../shared/contract/vehicle-api.ts'
import { text } from '../text/text.ts'

/** A way in which a vehicle plays. `rate`: of the picture here. */
export type SpeedChoice = { id: string; rate: number; action: HistoryControl }

const speeds = [1, 2, 4, 8, 16] as const

export const normalSpeed: SpeedChoice = { id: '1', rate: 1, action: { action: 'fast', speed: 1 } }

// Key frames and what runs backwards come with times of arrival, or with pauses between: they are shown as they come.
const choices: readonly SpeedChoice[] = [
  ...speeds.map((speed) => ({ id: `${speed}`, rate: speed, action: { action: 'fast' as const, speed } })),
  { id: 'keys', rate: 1, action: { action: 'keyFrames' } },
  ...speeds.map((speed) => ({ id: `-${speed}`, rate: 1, action: { action: 'back' as const, speed } })),
]

type SelectProps = { speed: SpeedChoice; disabled: boolean; onChange: (choice: SpeedChoice) => void }

export function SpeedSelect({ speed, disabled, onChange }: SelectProps): JSX.Element {
  const words = text.value.vehicles
  const wordsOf = ({ id }: SpeedChoice): string => {
    if (id === 'keys') return words.keyFrames
    return id.startsWith('-') ? words.backOf(-Number(id)) : words.speedOf(Number(id))
  }
  return (
    <label class="speed">
      <span>{words.speed}</span>
      <select
        value={speed.id}
        disabled={disabled}
        onChange={(event) => {
          const choice = choices.find(({ id }) => id === event.currentTarget.value)
          if (choice) onChange(choice)
        }}
      >
        {choices.map((choice) => (
          <option key={choice.id} value={choice.id}>
            {wordsOf(choice)}
          </option>
        ))}
      </select>
    </label>
  )
}
