/** Every event three times, up to two seconds late, in any order. */
export function unrulyEvents(send: () => void): void {
  for (let n = 0; n < 3; n += 1) setTimeout(send, Math.random() * 2000)
}
