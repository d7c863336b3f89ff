import type { JSX } from 'preact'
import { mayAdminister, mayOperate, phones, stats } from '../model.ts'
import { useResources } from '../poll.ts'
import { text } from '../text/text.ts'
import { Empty, Problem } from '../ui/parts.tsx'
import { AddPhone } from './add-phone.tsx'
import { CapturePanel } from './capture-panel.tsx'
import { PhoneTable } from './phone-table.tsx'
import { ThisCamera } from './this-camera.tsx'
import { WaitingPhones } from './waiting-phones.tsx'

export function Phones(): JSX.Element {
  useResources(phones, stats)
  const words = text.value.phones
  const error = phones.error.value
  const list = phones.value.value ?? []
  const known = list.filter(({ state }) => state !== 'waiting')
  return (
    <div class="view">
      <header class="view-head">
        <div>
          <h1>{text.value.sections.phones}</h1>
          {known.length > 0 && (
            <p class="muted">{words.summary(known.filter(({ state }) => state !== 'lost').length)}</p>
          )}
        </div>
      </header>
      {error && <Problem message={error.message} onRetry={() => void phones.refresh()} />}
      <WaitingPhones phones={list.filter(({ state }) => state === 'waiting')} />
      <div class="columns">
        <div class="stack">
          {mayOperate.value && <CapturePanel ready={known.some(({ state }) => state !== 'lost')} />}
          {known.length > 0 && <PhoneTable phones={known} />}
          {phones.value.value && known.length === 0 && (
            <section class="card">
              <Empty icon="phones" title={words.emptyTitle}>
                <p>{words.emptyBody}</p>
              </Empty>
            </section>
          )}
        </div>
        <div class="stack">
          <AddPhone />
          {mayAdminister.value && <ThisCamera />}
        </div>
      </div>
    </div>
  )
}
