import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { TokenInfo } from '../../shared/contract/agent-api.ts'
import { agent } from '../api.ts'
import { nowMs } from '../clock.ts'
import { formatDateTime, formatSpan } from '../format.ts'
import { createResource, useResources } from '../poll.ts'
import { language, text } from '../text/text.ts'
import { confirm } from '../ui/confirm.tsx'
import { Icon } from '../ui/icon.tsx'
import { attempt, tell } from '../ui/notice.tsx'
import { Button, CopyButton, Pill } from '../ui/parts.tsx'
import { TokenForm } from './token-form.tsx'

// Tokens change only by hand: loaded once, and again after each change.
const tokens = createResource(agent.tokens, () => true)

/** Who may come in: the administrator's list. */
export function Tokens(): JSX.Element {
  useResources(tokens)
  const [made, setMade] = useState<{ name: string; token: string }>()
  const words = text.value.status
  const error = tokens.error.value
  return (
    <section class="card tokens">
      <h2 class="card-title">
        <Icon name="key" />
        <span>{words.tokens}</span>
      </h2>
      <p class="muted">{error?.message ?? words.tokensBody}</p>
      <TokenForm
        onMade={(created) => {
          setMade(created)
          void tokens.refresh()
        }}
      />
      {made && <NewToken made={made} />}
      {tokens.value.value && tokens.value.value.length > 0 && <TokenTable list={tokens.value.value} />}
    </section>
  )
}

function NewToken({ made }: { made: { name: string; token: string } }): JSX.Element {
  return (
    <div class="new-token" role="status">
      <p>
        <b>{made.name}</b>: {text.value.status.tokenOnce}
      </p>
      <div class="address">
        <code>{made.token}</code>
        <CopyButton value={made.token} />
      </div>
    </div>
  )
}

function TokenTable({ list }: { list: TokenInfo[] }): JSX.Element {
  const words = text.value.status
  return (
    <table class="table">
      <thead>
        <tr>
          <th>{words.tokenName}</th>
          <th>{words.tokenRole}</th>
          <th>{words.tokenMade}</th>
          <th>{words.tokenUsed}</th>
          <th />
        </tr>
      </thead>
      <tbody>
        {list.map((token) => (
          <TokenRow key={token.id} token={token} />
        ))}
      </tbody>
    </table>
  )
}

function TokenRow({ token }: { token: TokenInfo }): JSX.Element {
  const words = text.value.status
  const revoke = async (): Promise<void> => {
    const yes = await confirm(words.tokenRevokeTitle(token.name), words.tokenRevokeBody, words.tokenRevoke)
    if (!yes) return
    await attempt(async () => {
      await agent.revokeToken(token.id)
      tell(words.tokenRevoked)
      await tokens.refresh()
    })
  }
  return (
    <tr>
      <td data-label={words.tokenName}>
        <b>{token.name}</b>
      </td>
      <td data-label={words.tokenRole}>
        <Pill tone="plain">{token.role}</Pill>
        {token.stream && <span class="muted small"> {token.stream}</span>}
      </td>
      <td data-label={words.tokenMade}>{formatDateTime(token.createdAt, language.value)}</td>
      <td data-label={words.tokenUsed}>
        {token.lastUsedAt === undefined
          ? words.never
          : text.value.ago(formatSpan(Math.max(0, nowMs() - token.lastUsedAt)))}
      </td>
      <td class="number">
        <Button kind="quiet" onClick={() => void revoke()}>
          {words.tokenRevoke}
        </Button>
      </td>
    </tr>
  )
}
