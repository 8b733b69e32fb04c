"""How servers.py starts programs, and gives up on them."""

import socket
import unittest
import unittest.mock

import servers


class ProgramTest(unittest.TestCase):
    def start(self, script):
        program = servers.Program(["sh", "-c", script])
        self.addCleanup(program.kill)
        return program

    def test_gives_lines_and_what_is_left_of_them(self):
        program = self.start("echo one; echo two; echo three; echo oops >&2; exit 3")
        self.assertEqual(program.next_line(), "one\n")
        self.assertEqual(program.rest(), ["two\n", "three\n"])
        self.assertEqual(program.result(), (3, "one\ntwo\nthree\n", "oops\n"))

    def test_a_program_that_ends_before_it_is_ready_is_told_with_what_it_printed(self):
        program = self.start("echo cannot listen >&2; exit 2")
        with self.assertRaisesRegex(RuntimeError, "sh ended with 2 before it was ready: cannot listen"):
            program.await_line("stdout", "listening")

    def test_a_wait_that_is_given_up_tells_for_what_and_what_was_printed(self):
        program = self.start("echo hello; exec sleep 1000")
        program.next_line()
        waits = {
            "sh to print 'ready' on stdout": lambda: program.await_line("stdout", "ready"),
            "line 2 of sh": program.next_line,
            "sh to end": program.wait,
            "rain": lambda: servers.await_that(lambda: False, "rain"),
        }
        for what, wait in waits.items():
            with self.subTest(what), unittest.mock.patch("servers.PATIENCE", 0.1):
                with self.assertRaises(servers.Impatience) as raised:
                    wait()
                self.assertEqual(str(raised.exception), "waited 0.1 s for {}\nsh printed:\nhello\n".format(what))


class HeldPortTest(unittest.TestCase):
    def setUp(self):
        self.port = servers.HeldPort()
        self.addCleanup(self.port.close)

    def socket(self):
        made = socket.socket()
        self.addCleanup(made.close)
        return made

    def server(self):
        server = self.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", self.port.port))
        server.listen()
        return server

    def connects(self):
        return self.socket().connect_ex(("127.0.0.1", self.port.port)) == 0

    def test_is_open_while_a_server_listens_and_only_then(self):
        self.assertFalse(self.connects())
        for _ in range(2):
            server = self.server()
            self.assertTrue(self.connects())
            server.close()
            self.assertFalse(self.connects())

    def test_is_nobody_elses(self):
        with self.assertRaises(OSError):
            self.socket().bind(("127.0.0.1", self.port.port))


if __name__ == "__main__":
    unittest.main()
