/** Every event three times, up to two seconds late, in any order. */
export function chaos(): (send: () => void) => void {
  return (send) => {
    for (let n = 0; n < 3; n += 1) setTimeout(send, Math.random() * 2000)
  }
}
