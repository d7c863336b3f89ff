import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { text } from '../text/text.ts'
import { Button } from '../ui/parts.tsx'
import { startRecording } from './recording-actions.ts'

/** Names of the streams to record together; undefined while nobody selects. */
export const selection = signal<ReadonlySet<string> | undefined>(undefined)

export function toggleSelected(name: string): void {
  const next = new Set(selection.value)
  if (!next.delete(name)) next.add(name)
  selection.value = next
}

/** Floats over the wall while streams are selected: a title, and what to do with them together. */
export function SelectionBar(): JSX.Element | null {
  const [title, setTitle] = useState('')
  const names = selection.value
  const words = text.value.live
  if (!names) return null
  const start = async (past: boolean): Promise<void> => {
    if (!(await startRecording([...names], { title, past }))) return
    selection.value = undefined
    setTitle('')
  }
  return (
    <form
      class="selection-bar"
      onSubmit={(event) => {
        event.preventDefault()
        void start(false)
      }}
    >
      <b>{words.selected(names.size)}</b>
      <input
        type="text"
        aria-label={words.title}
        placeholder={words.titleExample}
        maxLength={200}
        value={title}
        onInput={(event) => setTitle(event.currentTarget.value)}
      />
      <Button kind="record" icon="record" submit disabled={names.size === 0}>
        {words.record}
      </Button>
      <Button
        icon="rewind"
        label={words.pastTitle}
        disabled={names.size === 0}
        onClick={() => void start(true)}
      >
        {words.past}
      </Button>
      <Button
        kind="quiet"
        icon="close"
        label={words.clear}
        onClick={() => {
          selection.value = undefined
        }}
      />
    </form>
  )
}
