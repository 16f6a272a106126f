import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/** For java.sh: many threads that use the Java heap, native memory (direct buffers, zlib), and exceptions. Ends with status 7. */
public class Soak {
  static long work(int seed) throws Exception {
    long sum = 0;
    Map<Integer, byte[]> map = new HashMap<>();
    for (int i = 0; i < 3000; i++) map.put((i * seed) % 5003, new byte[i % 700]);
    for (byte[] bytes : map.values()) sum += bytes.length;
    for (int i = 0; i < 40; i++) {
      ByteBuffer direct = ByteBuffer.allocateDirect(10_000 + i);
      direct.putInt(0, i);
      sum += direct.getInt(0) + direct.capacity();
      ByteArrayOutputStream packed = new ByteArrayOutputStream();
      try (GZIPOutputStream out = new GZIPOutputStream(packed)) {
        for (int k = 0; k < 2000; k++) out.write(k * seed);
      }
      try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(packed.toByteArray()))) {
        for (byte b : in.readAllBytes()) sum += b;
      }
    }
    try {
      deep(500 + seed);
    } catch (IllegalStateException caught) {
      sum += caught.getStackTrace().length > 0 ? 1 : 0;
    }
    return sum;
  }

  static int deep(int depth) {
    if (depth == 0) throw new IllegalStateException("deep");
    return deep(depth - 1) + 1;
  }

  public static void main(String[] arguments) throws Exception {
    ExecutorService pool = Executors.newFixedThreadPool(8);
    List<Future<Long>> results = new ArrayList<>();
    for (int i = 1; i <= 60; i++) {
      int seed = i;
      results.add(pool.submit(() -> work(seed)));
    }
    long sum = 0;
    for (Future<Long> result : results) sum += result.get();
    pool.shutdown();
    for (int i = 0; i < 200; i++) {
      Thread thread = new Thread(() -> new ArrayList<>(List.of(1, 2, 3)));
      thread.start();
      thread.join();
    }
    System.gc();
    System.out.println(sum);
    System.exit(7);
  }
}
