// pgjdbc: metadata, server-prepared statements in text and binary, fetch size, COPY, timeouts.

import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.*;
import java.util.*;
import org.postgresql.PGConnection;

public class Jdbc {
    static final String URL = "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT")
        + "/hindsight?user=ann&password=secret&loginTimeout=10&socketTimeout=30";

    static void equal(Object found, Object expected) {
        if (!Objects.equals(found, expected)) throw new AssertionError("found " + found + ", expected " + expected);
    }

    static List<String> column(ResultSet rows, String name) throws SQLException {
        List<String> values = new ArrayList<>();
        while (rows.next()) values.add(rows.getString(name));
        return values;
    }

    public static void main(String[] arguments) throws Exception {
        for (String mode : new String[] {"", "&prepareThreshold=-1", "&preferQueryMode=simple"}) {
            try (Connection connection = DriverManager.getConnection(URL + mode)) {
                PreparedStatement statement = connection.prepareStatement(
                    "select stop_loss_percent from backtest(stop_loss_percent => ?)");
                for (int run = 0; run < 7; run++) {
                    statement.setBigDecimal(1, new BigDecimal("12.5"));
                    ResultSet rows = statement.executeQuery();
                    rows.next();
                    equal(rows.getBigDecimal(1), new BigDecimal("12.5000"));
                }
            }
        }
        try (Connection connection = DriverManager.getConnection(URL)) {
            DatabaseMetaData metadata = connection.getMetaData();
            List<String> tables = column(metadata.getTables(null, "public", "%", new String[] {"TABLE"}), "TABLE_NAME");
            if (!tables.contains("signals")) throw new AssertionError("no signals in " + tables);
            ResultSet score = metadata.getColumns(null, "public", "signals", "score");
            score.next();
            equal(score.getString("TYPE_NAME") + " " + score.getInt("COLUMN_SIZE") + "," + score.getInt("DECIMAL_DIGITS"), "numeric 7,2");
            if (score.getString("REMARKS") == null) throw new AssertionError("no comment on the column score");
            equal(column(metadata.getPrimaryKeys(null, "public", "signals"), "COLUMN_NAME"), List.of("id"));
            if (!column(metadata.getFunctions(null, null, "position_size"), "FUNCTION_NAME").contains("position_size")) throw new AssertionError("no position_size");

            connection.setAutoCommit(false);
            PreparedStatement all = connection.prepareStatement("select id from signals");
            all.setFetchSize(2);
            ResultSet rows = all.executeQuery();
            int count = 0;
            while (rows.next()) count++;
            ResultSet counted = connection.createStatement().executeQuery("select count(*) from signals");
            counted.next();
            equal(count, counted.getInt(1));
            Savepoint savepoint = connection.setSavepoint("a");
            connection.createStatement().executeUpdate("insert into scenarios (name) values ('undone')");
            connection.rollback(savepoint);
            connection.commit();
            connection.setAutoCommit(true);

            StringWriter copied = new StringWriter();
            equal(connection.unwrap(PGConnection.class).getCopyAPI().copyOut("copy (select 1, 'x') to stdout", copied), 1L);
            equal(copied.toString(), "1\tx\n");
            Statement slow = connection.createStatement();
            slow.setQueryTimeout(1);
            try {
                slow.executeQuery("select count(*) from generate_series(1, 300000) a(x), generate_series(1, 300000) b(y) where x + y < 0");
                throw new AssertionError("not cancelled");
            } catch (SQLException error) {
                equal(error.getSQLState(), "57014");
            }
            connection.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
            equal(connection.getTransactionIsolation(), Connection.TRANSACTION_SERIALIZABLE);
        }
    }
}
