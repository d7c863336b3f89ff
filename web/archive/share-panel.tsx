import type { JSX } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { cloud, type OldShare, type Share } from '../api.ts'
import { formatDateTime } from '../format.ts'
import { language, text } from '../text/text.ts'
import { attempt, tell } from '../ui/notice.tsx'
import { Button, CopyButton, Field } from '../ui/parts.tsx'

const defaultSpan = '604800'

/** Makes links for people without a token. A link is shown only to who made it, and once: it is stored hashed. Those that still open it are listed. */
export function SharePanel({ id }: { id: string }): JSX.Element {
  const [span, setSpan] = useState(defaultSpan)
  const [shares, setShares] = useState<Share[]>([])
  const [old, setOld] = useState<OldShare[]>([])
  const [busy, setBusy] = useState(false)
  const words = text.value.archive
  useEffect(() => {
    cloud.shares(id).then(
      ({ shares: listed }) => setOld(listed),
      () => undefined, // The cloud is away: the page says so elsewhere.
    )
  }, [id])
  const create = async (): Promise<void> => {
    setBusy(true)
    await attempt(async () => {
      const share = await cloud.share(id, Number(span))
      setShares((before) => [share, ...before])
    })
    setBusy(false)
  }
  const revoke = (gone: string): Promise<boolean> =>
    attempt(async () => {
      await cloud.revokeShare(gone)
      setShares((before) => before.filter((other) => other.id !== gone))
      setOld((before) => before.filter((other) => other.id !== gone))
      tell(words.shareRevoked)
    })
  return (
    <section class="card">
      <h2>{words.share}</h2>
      <p class="muted small">{words.shareBody}</p>
      <div class="share-form">
        <Field label={words.shareFor}>
          <select value={span} onChange={(event) => setSpan(event.currentTarget.value)}>
            {Object.entries(words.shareSpans).map(([seconds, label]) => (
              <option key={seconds} value={seconds}>
                {label}
              </option>
            ))}
          </select>
        </Field>
        <Button icon="share" busy={busy} onClick={() => void create()}>
          {words.shareCreate}
        </Button>
      </div>
      {shares.map((share) => (
        <ShareLine key={share.id} share={share} onRevoke={() => void revoke(share.id)} />
      ))}
      {old.map((share) => (
        <OldShareLine key={share.id} share={share} onRevoke={() => void revoke(share.id)} />
      ))}
    </section>
  )
}

function ShareLine({ share, onRevoke }: { share: Share; onRevoke: () => void }): JSX.Element {
  const words = text.value.archive
  const url = new URL(share.url, location.origin).href
  return (
    <div class="share-line">
      <input
        type="text"
        readOnly
        value={url}
        aria-label={words.share}
        onFocus={(event) => event.currentTarget.select()}
      />
      <div class="actions">
        <CopyButton value={url} />
        <Button kind="quiet" onClick={onRevoke}>
          {words.shareRevoke}
        </Button>
      </div>
      <p class="muted small">{words.shareUntil(formatDateTime(share.expiresAt, language.value))}</p>
    </div>
  )
}

function OldShareLine({ share, onRevoke }: { share: OldShare; onRevoke: () => void }): JSX.Element {
  const words = text.value.archive
  const time = (ms: number) => formatDateTime(ms, language.value)
  return (
    <div class="share-line">
      <div class="actions">
        <p class="muted small">
          {words.sharedBy(share.createdBy, time(share.createdAt))} {words.shareUntil(time(share.expiresAt))}
        </p>
        <Button kind="quiet" onClick={onRevoke}>
          {words.shareRevoke}
        </Button>
      </div>
    </div>
  )
}
