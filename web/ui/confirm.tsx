import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { text } from '../text/text.ts'
import { Button, Dialog } from './parts.tsx'

type Question = { title: string; body: string; action: string; answer: (yes: boolean) => void }

const question = signal<Question | undefined>(undefined)

/** Asks before something that cannot be undone. */
export function confirm(title: string, body: string, action: string): Promise<boolean> {
  question.value?.answer(false)
  return new Promise((resolve) => {
    const answer = (yes: boolean): void => {
      question.value = undefined
      resolve(yes)
    }
    question.value = { title, body, action, answer }
  })
}

export function ConfirmDialog(): JSX.Element | null {
  const asked = question.value
  if (!asked) return null
  return (
    <Dialog title={asked.title} onClose={() => asked.answer(false)}>
      <p>{asked.body}</p>
      <footer>
        <Button onClick={() => asked.answer(false)}>{text.value.cancel}</Button>
        <Button kind="danger" onClick={() => asked.answer(true)}>
          {asked.action}
        </Button>
      </footer>
    </Dialog>
  )
}
