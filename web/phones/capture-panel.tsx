import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { PhonesAnswer, PhonesStopped } from '../../shared/contract/agent-api.ts'
import { agent } from '../api.ts'
import { phones, recordings } from '../model.ts'
import { text } from '../text/text.ts'
import { attempt } from '../ui/notice.tsx'
import { Button, Field } from '../ui/parts.tsx'
import { Acknowledgement } from './acknowledgement.tsx'
import { type CaptureFields, captureDefaults, readCapture } from './capture-settings.ts'

/** Starts and stops all phones at once, and says what each of them answered. */
export function CapturePanel({ ready }: { ready: boolean }): JSX.Element {
  const [fields, setFields] = useState(captureDefaults)
  const [busy, setBusy] = useState<'start' | 'stop'>()
  const [answer, setAnswer] = useState<PhonesAnswer | PhonesStopped>()
  const words = text.value.phones
  const { settings, errors } = readCapture(fields)
  const invalid = Object.keys(errors).length > 0

  const run = async (what: 'start' | 'stop'): Promise<void> => {
    setBusy(what)
    setAnswer(undefined)
    await attempt(async () => {
      setAnswer(what === 'start' ? await agent.startPhones(settings) : await agent.stopPhones())
      await Promise.all([phones.refresh(), recordings.refresh()])
    })
    setBusy(undefined)
  }
  return (
    <section class="card">
      <h2>{words.capture}</h2>
      <p class="muted">{words.captureBody}</p>
      <form
        class="capture"
        onSubmit={(event) => {
          event.preventDefault()
          if (!invalid) void run('start')
        }}
      >
        <CaptureInputs fields={fields} setFields={setFields} />
        <div class="actions">
          <Button kind="record" icon="record" submit busy={busy === 'start'} disabled={invalid || !ready}>
            {words.start}
          </Button>
          <Button icon="stop" busy={busy === 'stop'} disabled={!ready} onClick={() => void run('stop')}>
            {words.stop}
          </Button>
          {!ready && <span class="muted small">{words.noneReady}</span>}
        </div>
      </form>
      {answer && <Acknowledgement answer={answer} />}
    </section>
  )
}

type InputsProps = { fields: CaptureFields; setFields: (fields: CaptureFields) => void }

function CaptureInputs({ fields, setFields }: InputsProps): JSX.Element {
  const words = text.value.phones
  const { errors } = readCapture(fields)
  const inputs = [
    ['aspect', words.aspect, words.aspectHint, words.aspectBad, '4:3'],
    ['bitrate', words.bitrate, undefined, words.bitrateBad, '4'],
    ['fps', words.fps, words.fpsHint, words.fpsBad, '10'],
  ] as const
  return (
    <div class="fields">
      {inputs.map(([key, label, hint, bad, placeholder]) => (
        <Field key={key} label={label} hint={hint} error={errors[key] && bad}>
          <input
            type="text"
            inputMode={key === 'aspect' ? 'text' : 'decimal'}
            name={key}
            maxLength={16}
            placeholder={placeholder}
            aria-invalid={errors[key]}
            value={fields[key]}
            onInput={(event) => setFields({ ...fields, [key]: event.currentTarget.value })}
          />
        </Field>
      ))}
    </div>
  )
}
