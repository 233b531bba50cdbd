import type { Socket } from 'node:dgram'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { certificateFor } from '../support/authority.ts'
import { basicUserOf, listen, sendImage, serveHttp } from '../support/image-server.ts'
import { hasFtpTls, startFtpServer } from '../support/ftp-server.ts'
import { startSshServer } from '../support/ssh-server.ts'
import { serveTftp, startTftpPeer, tftpError } from '../support/tftp-peer.ts'
import { temporaryFolder } from '../support/wire.ts'
import { fetcherContract, noIdentity, type StartSource } from './fetcher.ts'

const startHttp =
  (isSecure: boolean): StartSource =>
  async (behaviour, image) => {
    let sentBytes = 0
    const { certificate, privateKey, authority } = await certificateFor(['127.0.0.1'])
    const server = await serveHttp(
      (request, response) => {
        if (behaviour === 'hangs') return
        if (behaviour === 'misses') return response.writeHead(404).end('no such image')
        if (basicUserOf(request) !== 'user:secret') {
          return response.writeHead(401, { 'www-authenticate': 'Basic realm="images"' }).end()
        }
        response.writeHead(200, { 'content-length': image.byteLength })
        if (behaviour === 'serves') {
          return sendImage(response, image, (bytes) => (sentBytes += bytes))
        }
        return response.write(image.subarray(0, image.byteLength / 2), () => {
          if (behaviour === 'cuts') response.destroy()
        })
      },
      isSecure ? { cert: certificate, key: privateKey } : undefined,
    )
    return {
      ...server,
      sentBytes: () => sentBytes,
      username: 'user',
      password: behaviour === 'denies' ? 'wrong' : 'secret',
      identity: { ...noIdentity, trustedCertificates: [authority.certificate] },
    }
  }

fetcherContract('http', { start: startHttp(false) })
fetcherContract('https', { start: startHttp(true) })

const startSsh =
  (scheme: 'sftp' | 'scp'): StartSource =>
  async (behaviour, image) => {
    const half = image.byteLength / 2
    const { counts, ...server } =
      behaviour === 'hangs'
        ? { ...(await listenOnly()), counts: undefined }
        : await startSshServer({
            file: (path) => (path === '/image.bin' && behaviour !== 'misses' ? image : 'missing'),
            ...(behaviour === 'cuts' && { cutsAfter: half }),
            ...(behaviour === 'stalls' && { stallsAfter: half }),
          })
    return {
      ...server,
      uri: new URL(`${scheme}://127.0.0.1:${server.port}/image.bin`),
      sentBytes: () => counts?.sentBytes ?? 0,
      username: 'user',
      password: behaviour === 'denies' ? 'wrong' : 'secret',
    }
  }

fetcherContract('sftp', { start: startSsh('sftp') })
fetcherContract('scp', { start: startSsh('scp') })

const startFtp =
  (scheme: 'ftp' | 'ftps'): StartSource =>
  async (behaviour, image) => {
    const { authority, ...tls } = await certificateFor(['127.0.0.1'])
    const what = { cuts: 'cut', stalls: 'stall' } as const
    const server =
      behaviour === 'hangs'
        ? await listenOnly()
        : await startFtpServer({
            files: behaviour === 'misses' ? {} : { 'image.bin': image },
            ...(scheme === 'ftps' && { tls }),
            ...((behaviour === 'cuts' || behaviour === 'stalls') && {
              oddity: { what: what[behaviour], afterBytes: image.byteLength / 2 },
            }),
          })
    return {
      connections: server.connections,
      uri: new URL(`${scheme}://127.0.0.1:${server.port}/image.bin`),
      username: 'user',
      password: behaviour === 'denies' ? 'wrong' : 'secret',
      identity: { ...noIdentity, trustedCertificates: [authority.certificate] },
    }
  }

const whyNoFtp = hasFtpTls ? undefined : 'no python3-pyftpdlib with python3-openssl here'
fetcherContract('ftp', { start: startFtp('ftp'), absent: whyNoFtp })
fetcherContract('ftps', { start: startFtp('ftps'), absent: whyNoFtp })

const startTftp: StartSource = async (behaviour, image) => {
  const peer = await startTftpPeer()
  const connections = openUdpSockets()
  const half = image.byteLength / 2
  let sentBytes = 0
  const behave = async (): Promise<void> => {
    if (behaviour === 'hangs') return
    if (behaviour === 'misses' || behaviour === 'denies') {
      await peer.request()
      return peer.send(tftpError(behaviour === 'misses' ? 1 : 2))
    }
    return serveTftp(peer, image, {
      ...(behaviour === 'cuts' && { cutsAfter: half }),
      ...(behaviour === 'stalls' && { stallsAfter: half }),
      sent: (bytes) => (sentBytes += bytes),
    })
  }
  void behave()
  // A server sees no connections; what the client holds open is its socket.
  return { uri: peer.uri, connections, sentBytes: () => sentBytes }
}

// Nobody there is nobody who answers.
fetcherContract('tftp', { start: startTftp, except: ['refuses'] })

const startFolder: StartSource = async (behaviour, image) => {
  const folder = await temporaryFolder()
  if (behaviour !== 'misses') await writeFile(join(folder, 'image.bin'), image)
  const uri = new URL('nfs://server/export/image.bin')
  return { uri, connections: openFiles(folder), folders: new Map([['nfs://server/export', folder]]) }
}

// A disk does not wait, and knows no strangers.
fetcherContract('folder', { start: startFolder, except: ['denies', 'refuses', 'cuts', 'stalls', 'hangs'] })

/** Somebody who listens, and says nothing. */
function listenOnly() {
  return listen(createServer((socket) => socket.resume()))
}

/** Counts the UDP sockets that were made from now on, and are open. */
function openUdpSockets(): () => number {
  let open = 0
  const watch = (message: unknown): void => {
    open++
    const { socket } = message as { readonly socket: Socket }
    socket.once('close', () => open--)
  }
  subscribe('udp.socket', watch)
  onTestFinished(() => void unsubscribe('udp.socket', watch))
  return () => open
}

/** Counts the files below a folder that this process holds open, where the system tells. */
function openFiles(folder: string): () => number {
  const own = '/proc/self/fd'
  return () =>
    (existsSync(own) ? readdirSync(own) : []).filter((descriptor) => {
      try {
        return readlinkSync(join(own, descriptor)).startsWith(folder)
      } catch {
        return false // closed in the meantime
      }
    }).length
}
