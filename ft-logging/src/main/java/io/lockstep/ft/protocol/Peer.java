package io.lockstep.ft.protocol;

/**
 * The secondary as its primary knows it.
 *
 * @param conn the connection, 0 while there is none
 * @param replica who it is
 * @param attachId under which attach it follows
 * @param lastHeard when something of it arrived last
 * @param downSince when the connection broke; meaningful while {@code conn} is 0
 * @param beat number of the last heartbeat sent
 * @param beatAt when it was sent
 */
record Peer(
    long conn,
    ReplicaId replica,
    long attachId,
    long lastHeard,
    long downSince,
    long beat,
    long beatAt) {
  boolean isUp() {
    return conn != 0;
  }

  boolean isOn(long otherConn) {
    return conn != 0 && conn == otherConn;
  }

  Peer heard(long now) {
    return new Peer(conn, replica, attachId, now, downSince, beat, beatAt);
  }

  Peer down(long now) {
    return new Peer(0, replica, attachId, lastHeard, now, beat, beatAt);
  }

  Peer up(long newConn, long now) {
    return new Peer(newConn, replica, attachId, now, downSince, beat, beatAt);
  }

  Peer beaten(long now) {
    return new Peer(conn, replica, attachId, lastHeard, downSince, beat + 1, now);
  }
}
