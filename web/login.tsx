import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import { agent } from './api.ts'
import { ApiError, signedOut } from './http.ts'
import { Preferences } from './navigation.tsx'
import { text } from './text/text.ts'
import { Mark } from './ui/icon.tsx'
import { Button, Field } from './ui/parts.tsx'

/** Trades a token for the session cookie; the token itself is not kept in the browser. */
export function Login(): JSX.Element {
  const [token, setToken] = useState('')
  const [error, setError] = useState<string>()
  const [busy, setBusy] = useState(false)
  const words = text.value.login

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    try {
      const { role } = await agent.openSession(token.trim())
      if (role === 'publisher' || role === 'device') {
        setError(words.sendsOnly)
        await agent.closeSession()
      } else signedOut.value = false
    } catch (cause) {
      const unknown = cause instanceof ApiError && (cause.status === 401 || cause.status === 403)
      setError(unknown ? words.wrong : String(cause instanceof Error ? cause.message : cause))
    }
    setBusy(false)
  }

  return (
    <main class="login">
      <form class="card" onSubmit={(event) => void submit(event)}>
        <div class="brand">
          <Mark />
          <span>edgereel</span>
        </div>
        <h1>{words.title}</h1>
        <p class="muted">{words.body}</p>
        <Field label={words.token} error={error}>
          <input
            type="password"
            name="token"
            autocomplete="current-password"
            required
            maxLength={512}
            value={token}
            onInput={(event) => setToken(event.currentTarget.value)}
          />
        </Field>
        <Button kind="primary" submit busy={busy} disabled={token.trim() === ''}>
          {words.submit}
        </Button>
      </form>
      <Preferences />
    </main>
  )
}
