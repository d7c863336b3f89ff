import type { JSX } from 'preact'
import { stats } from '../model.ts'
import { text } from '../text/text.ts'
import { Icon } from '../ui/icon.tsx'
import { CopyButton } from '../ui/parts.tsx'
import { QrCode } from './qr.tsx'

const loopback = /^(localhost|127\.|\[::1\])/

/** What the phone app asks for: the address of its WebSocket. The app knows no private authority: with our own TLS it comes without. */
export function phoneAddress(hostAndPort: string): string {
  const isProxied = location.protocol === 'https:' && stats.value.value?.door?.tls !== true
  return `${isProxied ? 'wss' : 'ws'}://${hostAndPort}/android-cam`
}

/** `host:port` of every way in for a phone; empty while only this computer can connect. */
function reachable(): string[] {
  const door = stats.value.value?.door
  if (door) return door.lan ? door.addresses.filter((address) => !loopback.test(address)) : []
  return loopback.test(location.host) ? [] : [location.host]
}

export function AddPhone(): JSX.Element {
  const words = text.value.phones
  const [first, ...others] = reachable()
  return (
    <section class="card add-phone">
      <h2>{words.add}</h2>
      {first ? <Steps address={phoneAddress(first)} others={others.map(phoneAddress)} /> : <LoopbackOnly />}
      {stats.value.value?.door?.allowWithoutToken && <p class="remark">{words.addNoToken}</p>}
    </section>
  )
}

function Steps({ address, others }: { address: string; others: string[] }): JSX.Element {
  const words = text.value.phones
  const [join, enter, allow] = words.addSteps
  return (
    <>
      <ol class="steps">
        <li>{join}</li>
        <li>
          {enter}
          <div class="address">
            <code>{address}</code>
            <CopyButton value={address} />
          </div>
          <QrCode value={address} label={words.qr(address)} />
        </li>
        <li>{allow}</li>
      </ol>
      {others.length > 0 && (
        <div class="muted small">
          <p>{words.otherAddresses}</p>
          {others.map((other) => (
            <code key={other} class="block">
              {other}
            </code>
          ))}
        </div>
      )}
    </>
  )
}

function LoopbackOnly(): JSX.Element {
  const words = text.value.phones
  const command = 'npm run -s edgereel -- up --lan'
  return (
    <div class="loopback">
      <p class="remark">
        <Icon name="warning" /> {words.loopback}
      </p>
      <p>{words.loopbackBody}</p>
      <div class="address">
        <code>{command}</code>
        <CopyButton value={command} />
      </div>
      <p class="muted">{words.loopbackAfter}</p>
    </div>
  )
}
