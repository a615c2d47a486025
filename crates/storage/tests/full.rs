//! A full disk ends one write, and not all that follow.

use storage::{Database, Location, query};

#[tokio::test]
async fn writing_goes_on_when_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&Location::File(folder.path().join("test.db"))).await.unwrap();
    let mut transaction = database.begin().await.unwrap();
    query("CREATE TABLE notes (content BLOB)").execute(&mut transaction).await.unwrap();
    transaction.commit().await.unwrap();

    let insert = "INSERT INTO notes VALUES (zeroblob(1000000))";
    for is_committed in [false, true] {
        let mut transaction = database.begin().await.unwrap();
        // SQLite gives the error of a full disk when the file has so many pages.
        query("PRAGMA max_page_count = 1").execute(&mut transaction).await.unwrap();
        let error = query(insert).execute(&mut transaction).await.unwrap_err();
        assert!(error.to_string().contains("full"), "{error}");
        if is_committed {
            // Nothing is there to be committed.
            assert!(transaction.commit().await.is_err());
        } else {
            drop(transaction);
        }

        let mut transaction = database.begin().await.unwrap();
        query("PRAGMA max_page_count = 100000").execute(&mut transaction).await.unwrap();
        query(insert).execute(&mut transaction).await.unwrap();
        transaction.commit().await.unwrap();
    }
    let count: i64 = query("SELECT count(*) FROM notes").fetch_value(&database).await.unwrap();
    assert_eq!(count, 2, "what failed is not there");
}
