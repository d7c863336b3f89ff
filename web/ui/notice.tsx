import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { text } from '../text/text.ts'
import { Icon } from './icon.tsx'
import { Button } from './parts.tsx'

type Notice = { id: number; tone: 'ok' | 'bad'; words: string; link?: { href: string; words: string } }

const showMs = 6000 // What was done; what was refused stays until it is closed.
const noticesMax = 4 // More would cover the page they are about.
const notices = signal<Notice[]>([])
let lastId = 0

function show(notice: Omit<Notice, 'id'>): void {
  lastId += 1
  const id = lastId
  notices.value = [...notices.value, { ...notice, id }].slice(-noticesMax)
  if (notice.tone === 'ok') setTimeout(() => drop(id), showMs)
}

const drop = (id: number): void => {
  notices.value = notices.value.filter((notice) => notice.id !== id)
}

/** Says for a few seconds that something was done. */
export function tell(words: string, link?: { href: string; words: string }): void {
  show({ tone: 'ok', words, ...(link && { link }) })
}

/** Does something a person asked for; a refusal is shown as a notice. True when it was done. */
export async function attempt(action: () => Promise<unknown>): Promise<boolean> {
  try {
    await action()
    return true
  } catch (cause) {
    show({ tone: 'bad', words: cause instanceof Error ? cause.message : String(cause) })
    return false
  }
}

export function Notices(): JSX.Element {
  return (
    <div class="notices" role="status" aria-live="polite">
      {notices.value.map(({ id, tone, words, link }) => (
        <div key={id} class={`notice notice-${tone}`}>
          <Icon name={tone === 'ok' ? 'check' : 'warning'} />
          <p>{words}</p>
          {link && <a href={link.href}>{link.words}</a>}
          <Button kind="quiet" icon="close" label={text.value.close} onClick={() => drop(id)} />
        </div>
      ))}
    </div>
  )
}
