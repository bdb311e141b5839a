// A relay in Socket.IO's own words, as its documentation has them: whoever is in a room gets what the others send.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer((_request, response) => response.end("okay"));
const io = new Server(http, { transports: ["websocket"], maxHttpBufferSize: 1e6 });

io.on("connection", (socket) => {
  let room = null;
  socket.on("join", (name) => {
    room = name;
    socket.join(name);
  });
  socket.on("stroke", (stroke) => socket.to(room).emit("stroke", stroke));
});

http.listen(Number(process.env.PORT), "127.0.0.1");
