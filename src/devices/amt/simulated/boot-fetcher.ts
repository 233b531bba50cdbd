import { Agent } from 'undici'
import type { BootFetcher } from './update.ts'

/** Whom a machine's BIOS takes images from. */
export interface BootFetcherOptions {
  /** Certificates (PEM) that it trusts, instead of those that everybody does. */
  readonly ca?: readonly string[] | undefined
  /** Whether it also boots by HTTP, from the machine that it runs on. */
  readonly allowHttp: boolean
}

const LOOPBACK = /^(?:127(?:\.\d{1,3}){3}|localhost|\[::1\])$/

/** Fetches by HTTPS, with the server's certificate verified, as UEFI does. */
export function createBootFetcher({ ca, allowHttp }: BootFetcherOptions): BootFetcher {
  // The machine's clock ends what takes too long.
  const agent = new Agent({
    connect: { ...(ca && { ca: [...ca], allowPartialTrustChain: true }), timeout: 0 },
    headersTimeout: 0,
    bodyTimeout: 0,
  })
  return {
    fetch: async function* (url, signal) {
      const { origin, protocol, hostname, pathname, search } = new URL(url)
      if (protocol !== 'https:' && !(protocol === 'http:' && allowHttp && LOOPBACK.test(hostname)))
        throw new Error(`it does not boot by ${protocol} from there`)
      const { statusCode, body } = await agent.request({
        origin,
        path: `${pathname}${search}`,
        method: 'GET',
        signal,
      })
      if (statusCode !== 200) {
        await body.dump()
        throw new Error(`the server answered ${statusCode}`)
      }
      yield* body as AsyncIterable<Uint8Array>
    },
    close: () => agent.destroy(),
  }
}
