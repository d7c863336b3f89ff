import { signal } from '@preact/signals'
import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { cloud } from '../api.ts'
import { formatBytes } from '../format.ts'
import { text } from '../text/text.ts'
import { attempt, tell } from '../ui/notice.tsx'
import { Bar, Button, Field } from '../ui/parts.tsx'
import { acceptOf, type Part, problemOf, putFile } from './put-file.ts'

type Sending = { name: string; percent: number }

// Kept outside, so that a look at another section does not lose what was chosen or what is being sent.
const chosen = { dance: signal<File | undefined>(undefined), bgm: signal<File | undefined>(undefined) }
const sending = signal<Sending | undefined>(undefined)

/** Two files, uploaded one after the other, then the task. */
export function BeatsyncForm({ onSubmitted }: { onSubmitted: () => void }): JSX.Element {
  const [exact, setExact] = useState(false)
  const words = text.value.beatsync
  const { dance, bgm } = { dance: chosen.dance.value, bgm: chosen.bgm.value }
  const isReady = dance && bgm && !problemOf('dance', dance) && !problemOf('bgm', bgm)
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault()
    if (!isReady || sending.value) return
    await attempt(async () => {
      const ids = { dance: await send('dance', dance), bgm: await send('bgm', bgm) }
      await cloud.submitTask({ kind: 'beatsync', ...ids, exact })
      tell(words.submitted)
      onSubmitted()
    })
    sending.value = undefined
  }
  return (
    <form class="card beatsync-form" onSubmit={(event) => void submit(event)}>
      <p class="muted">{words.intro}</p>
      <div class="beatsync-files">
        <FileField part="dance" label={words.dance} hint={words.danceHint} />
        <FileField part="bgm" label={words.bgm} hint={words.bgmHint} />
      </div>
      <label class="beatsync-exact">
        <input type="checkbox" checked={exact} onChange={(event) => setExact(event.currentTarget.checked)} />
        <span>{words.exact}</span>
      </label>
      <div class="beatsync-send">
        <Button kind="primary" icon="beatsync" submit disabled={!isReady} busy={sending.value !== undefined}>
          {words.start}
        </Button>
        {sending.value && (
          <div class="beatsync-sending" role="status">
            <span class="muted small">{words.uploading(sending.value.name)}</span>
            <Bar percent={sending.value.percent} label={words.uploading(sending.value.name)} />
          </div>
        )}
      </div>
    </form>
  )
}

async function send(part: Part, file: File): Promise<string> {
  sending.value = { name: file.name, percent: 0 }
  return await putFile(part, file, (share) => {
    sending.value = { name: file.name, percent: 100 * share }
  })
}

function FileField({ part, label, hint }: { part: Part; label: string; hint: string }): JSX.Element {
  const file = chosen[part].value
  const problem = file && problemOf(part, file)
  const shown = file ? `${file.name}, ${formatBytes(file.size)}` : hint
  return (
    <Field label={label} hint={shown} error={problem}>
      <input
        type="file"
        name={part}
        accept={acceptOf(part)}
        disabled={sending.value !== undefined}
        onChange={(event) => {
          chosen[part].value = event.currentTarget.files?.[0]
        }}
      />
    </Field>
  )
}
