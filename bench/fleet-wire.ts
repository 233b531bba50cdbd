import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface Answer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** One keep-alive connection, with as little around it as can be: the client must not be what is measured. */
export class Wire {
  readonly #socket: Socket
  #received = ''
  #wake = (): void => {}
  #failure: Error | undefined

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      this.#received += text
      this.#wake()
    })
    socket.on('error', (error) => this.#fail(error))
    socket.on('close', () => this.#fail(new Error(`the connection was closed after ${this.#received}`)))
  }

  static async open(host: string, port: number): Promise<Wire> {
    const socket = connect({ host, port, noDelay: true })
    await once(socket, 'connect')
    return new Wire(socket)
  }

  /** Sends a request, of which the body may be bytes that others send too; resolves to its answer. */
  async ask(head: string, body?: Uint8Array): Promise<Answer> {
    this.#socket.write(head)
    if (body !== undefined) this.#socket.write(body)
    for (;;) {
      const answer = this.#whole()
      if (answer !== undefined) return answer
      if (this.#failure) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  close(): void {
    this.#socket.destroy()
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#wake()
  }

  #whole(): Answer | undefined {
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return undefined
    const head = this.#received.slice(0, end)
    const length = Number(/\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0)
    const start = end + 4
    if (this.#received.length < start + length) return undefined
    const body = this.#received.slice(start, start + length)
    this.#received = this.#received.slice(start + length)
    return { status: Number(head.slice(9, 12)), head, body }
  }
}

/** The head of a request by the administrator. */
export function headOf(
  method: string,
  path: string,
  headers: Readonly<Record<string, string | number>>,
): string {
  const authorization = `Basic ${Buffer.from('admin:redflash').toString('base64')}`
  const all = { Authorization: authorization, ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}
