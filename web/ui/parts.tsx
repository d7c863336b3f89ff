import type { ComponentChildren, JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { text } from '../text/text.ts'
import { Icon, type IconName } from './icon.tsx'

export type Tone = 'plain' | 'ok' | 'busy' | 'warn' | 'bad' | 'rec'

type ButtonProps = {
  children?: ComponentChildren
  icon?: IconName | 'record'
  kind?: 'plain' | 'primary' | 'record' | 'danger' | 'quiet'
  /** Read out instead of the content; also the tooltip. Needed when there is only an icon. */
  label?: string | undefined
  disabled?: boolean
  busy?: boolean
  pressed?: boolean
  submit?: boolean
  onClick?: () => void
}

export function Button(props: ButtonProps): JSX.Element {
  const { children, icon, kind = 'plain', label, disabled, busy, pressed, submit, onClick } = props
  const shape = children === undefined ? ' button-icon' : ''
  return (
    <button
      type={submit ? 'submit' : 'button'}
      class={`button button-${kind}${shape}`}
      aria-label={label}
      title={label}
      aria-pressed={pressed}
      aria-busy={busy}
      disabled={disabled || busy}
      onClick={onClick}
    >
      {icon === 'record' ? <span class="record-dot" /> : icon && <Icon name={icon} />}
      {children !== undefined && <span>{children}</span>}
    </button>
  )
}

export function Pill({ tone, children }: { tone: Tone; children: ComponentChildren }): JSX.Element {
  return <span class={`pill pill-${tone}`}>{children}</span>
}

/** A bar of 0–100; without a value it says only that something goes on. */
export function Bar({ percent, label, tone = 'busy' }: { percent?: number; label: string; tone?: Tone }) {
  return <progress class={`bar bar-${tone}`} max={100} value={percent} aria-label={label} />
}

export function Empty(props: { icon: IconName; title: string; children?: ComponentChildren }): JSX.Element {
  return (
    <div class="empty">
      <div class="empty-icon">
        <Icon name={props.icon} />
      </div>
      <h2>{props.title}</h2>
      {props.children}
    </div>
  )
}

/** One sentence about what went wrong, above what is still shown. */
export function Problem({ message, onRetry }: { message: string; onRetry?: () => void }): JSX.Element {
  return (
    <div class="problem" role="alert">
      <Icon name="warning" />
      <p>{message}</p>
      {onRetry && <Button onClick={onRetry}>{text.value.tryAgain}</Button>}
    </div>
  )
}

export function Facts({ rows }: { rows: [string, ComponentChildren][] }): JSX.Element {
  return (
    <dl class="facts">
      {rows.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

export function CopyButton({ value, label }: { value: string; label?: string }): JSX.Element {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 2000)
    return () => clearTimeout(timer)
  }, [copied])
  const copy = async (): Promise<void> => setCopied(await copyText(value))
  const words = copied ? text.value.copied : (label ?? text.value.copy)
  return (
    <Button icon={copied ? 'check' : 'copy'} label={words} onClick={() => void copy()}>
      {words}
    </Button>
  )
}

/** The clipboard API exists only on https and localhost; a page on the LAN falls back to a selection. */
async function copyText(value: string): Promise<boolean> {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(value).then(
      () => true,
      () => false,
    )
  }
  const area = document.createElement('textarea')
  area.value = value
  document.body.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  return done
}

/** A field with its name above and, below, a hint or what is wrong with it. */
export function Field(props: {
  label: string
  hint?: string | undefined
  error?: string | undefined
  children: ComponentChildren
}): JSX.Element {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child that every caller gives.
    <label class={props.error ? 'field field-bad' : 'field'}>
      <span class="field-label">{props.label}</span>
      {props.children}
      {(props.error ?? props.hint) && <span class="field-hint">{props.error ?? props.hint}</span>}
    </label>
  )
}

/** A modal dialog: the browser keeps the focus inside and closes it on Escape. */
export function Dialog(props: {
  title: string
  onClose: () => void
  children: ComponentChildren
}): JSX.Element {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => element.current?.showModal(), [])
  return (
    <dialog ref={element} class="dialog" aria-label={props.title} onClose={props.onClose}>
      <header>
        <h2>{props.title}</h2>
        <Button kind="quiet" icon="close" label={text.value.close} onClick={() => element.current?.close()} />
      </header>
      {props.children}
    </dialog>
  )
}
