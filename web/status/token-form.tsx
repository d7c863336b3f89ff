import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { Role } from '../../shared/contract/agent-api.ts'
import { agent, type NewToken } from '../api.ts'
import { streams } from '../model.ts'
import { text } from '../text/text.ts'
import { attempt } from '../ui/notice.tsx'
import { Button, Field } from '../ui/parts.tsx'

const roles: readonly Role[] = ['viewer', 'operator', 'publisher', 'admin', 'device']
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

type TokenFormProps = { onMade: (created: { name: string; token: string }) => void }

export function TokenForm({ onMade }: TokenFormProps): JSX.Element {
  const [name, setName] = useState('')
  const [role, setRole] = useState<Role>('viewer')
  const [stream, setStream] = useState('')
  const words = text.value.status
  const bad = name !== '' && !namePattern.test(name)
  const narrow = role === 'viewer' || role === 'publisher'
  const create = (): Promise<boolean> =>
    attempt(async () => {
      const request: NewToken = { name, role, ...(narrow && stream !== '' && { stream }) }
      onMade(await agent.createToken(request))
      setName('')
    })
  return (
    <form
      class="token-form"
      onSubmit={(event) => {
        event.preventDefault()
        void create()
      }}
    >
      <Field label={words.tokenName} error={bad ? words.tokenBadName : undefined}>
        <input
          type="text"
          required
          maxLength={64}
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </Field>
      <Field label={words.tokenRole}>
        <select value={role} onChange={(event) => setRole(event.currentTarget.value as Role)}>
          {roles.map((one) => (
            <option key={one} value={one}>
              {words.roles[one]}
            </option>
          ))}
        </select>
      </Field>
      {narrow && (
        <Field label={words.tokenStream}>
          <input
            type="text"
            maxLength={64}
            list="stream-names"
            value={stream}
            onInput={(event) => setStream(event.currentTarget.value)}
          />
        </Field>
      )}
      <datalist id="stream-names">
        {(streams.value.value ?? []).map((one) => (
          <option key={one.name} value={one.name} />
        ))}
      </datalist>
      <Button kind="primary" icon="plus" submit disabled={name === '' || bad}>
        {words.tokenCreate}
      </Button>
    </form>
  )
}
