import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { PhoneInfo } from '../../shared/contract/agent-api.ts'
import { agent } from '../api.ts'
import { mayOperate, phones as resource } from '../model.ts'
import { text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { attempt, tell } from '../ui/notice.tsx'
import { Button } from '../ui/parts.tsx'

/** Phones without a token that knock: nothing of theirs is taken until somebody allows them. */
export function WaitingPhones({ phones }: { phones: PhoneInfo[] }): JSX.Element | null {
  if (phones.length === 0) return null
  return (
    <ul class="waiting">
      {phones.map((phone) => (
        <WaitingPhone key={phone.id} phone={phone} />
      ))}
    </ul>
  )
}

function WaitingPhone({ phone }: { phone: PhoneInfo }): JSX.Element {
  const [busy, setBusy] = useState(false)
  const words = text.value.phones
  const model = phone.model ?? words.unknownModel
  const allow = async (): Promise<void> => {
    setBusy(true)
    await attempt(async () => {
      await agent.allowPhone(phone.id)
      tell(words.allowed(model))
      await resource.refresh()
    })
    setBusy(false)
  }
  return (
    <li class="waiting-phone">
      <Icon name="phones" />
      <p>
        <b>{words.wants(model, phone.address)}</b> <span>{words.wantsBody}</span>
      </p>
      {mayOperate.value && (
        <Button kind="primary" icon="check" busy={busy} onClick={() => void allow()}>
          {words.allow}
        </Button>
      )}
    </li>
  )
}
